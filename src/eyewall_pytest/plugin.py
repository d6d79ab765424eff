"""Fixtures for tests of applications, and a loop for tests that are coroutines.

Override `eyewall_app`; ask it with `client`. Coroutine tests run in `io_loop`'s loop, unless
another plugin has them: what is marked for pytest-asyncio or anyio is theirs, and there
`client` serves in their loop.

Nothing of Eyewall is imported before a test needs it.
"""

# ruff: noqa: PLC0415 - a run that does not use the fixtures pays nothing for them

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from eyewall.http.server.server import HTTPServer
    from eyewall.loop.ioloop import IOLoop
    from eyewall.testing import TestClient
    from eyewall.testing.clock import FakeClock

_FOREIGN = ("asyncio", "anyio", "trio", "twisted")


def _owner(node: pytest.Item) -> str | None:
    """The mark by which another plugin has a test."""
    return next((name for name in _FOREIGN if node.get_closest_marker(name)), None)


def _is_ours(item: pytest.Item) -> bool:
    return (
        isinstance(item, pytest.Function)
        and inspect.iscoroutinefunction(item.obj)
        and _owner(item) is None
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give coroutine tests that nobody has the loop they run in."""
    for item in items:
        if _is_ours(item):
            names: list[str] = item.fixturenames  # type: ignore[attr-defined]
            if "anyio_backend" not in names and "io_loop" not in names:
                names.append("io_loop")


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine test to its end, in the loop of `io_loop`."""
    loop: Any = pyfuncitem.funcargs.get("io_loop")
    if loop is None or not _is_ours(pyfuncitem):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in names if name in pyfuncitem.funcargs}
    loop.asyncio_loop.run_until_complete(pyfuncitem.obj(**arguments))
    return True


@pytest.fixture
def fake_clock() -> "FakeClock":
    """A clock that the test's loop goes by: time-outs pass at once. See `FakeClock`."""
    from eyewall.testing.clock import FakeClock

    return FakeClock()


@pytest.fixture
def io_loop(request: pytest.FixtureRequest) -> Iterator["IOLoop"]:
    """The loop of this test: `io_loop.run_sync` runs in it, and coroutine tests do."""
    owner = _owner(request.node)
    if owner is not None:
        pytest.fail(
            f"io_loop, http_server and base_url have a loop of their own, and the mark {owner!r} "
            "runs the test in another: remove the mark, or use only `client`",
            pytrace=False,
        )
    from eyewall.loop.ioloop import IOLoop
    from eyewall.testing.async_case import cancel_all

    made: Any = None
    if "fake_clock" in request.fixturenames:
        made = request.getfixturevalue("fake_clock").new_event_loop()
    loop = IOLoop(made)
    loop.make_current()
    yield loop
    if not loop.asyncio_loop.is_closed():
        loop.asyncio_loop.run_until_complete(cancel_all())
        loop.asyncio_loop.run_until_complete(loop.asyncio_loop.shutdown_asyncgens())
    loop.clear_current()
    if not loop.asyncio_loop.is_closed():
        loop.close(all_fds=True)


@pytest.fixture
def eyewall_app() -> Any:
    """The application under test; override this fixture."""
    pytest.fail("override the fixture eyewall_app: return your Application", pytrace=False)


@pytest.fixture
def _eyewall_served(io_loop: "IOLoop", eyewall_app: Any) -> Iterator[tuple["HTTPServer", str]]:
    from eyewall.http.server.server import HTTPServer
    from eyewall.testing.ports import bind_unused_port

    startup = getattr(eyewall_app, "startup", None)
    if startup is not None:
        io_loop.run_sync(startup)
    server = HTTPServer(eyewall_app)
    sock, port = bind_unused_port()
    with sock:
        server.add_socket(sock)
    yield server, f"http://127.0.0.1:{port}"
    server.close()
    drain = getattr(eyewall_app, "drain", None)
    if drain is not None:
        io_loop.run_sync(drain)


@pytest.fixture
def http_server(_eyewall_served: tuple["HTTPServer", str]) -> "HTTPServer":
    """A server of `eyewall_app` on a free port of 127.0.0.1; its address is `base_url`."""
    return _eyewall_served[0]


@pytest.fixture
def base_url(_eyewall_served: tuple["HTTPServer", str]) -> str:
    """Where `http_server` serves: "http://127.0.0.1:PORT"."""
    return _eyewall_served[1]


@pytest.fixture
def eyewall_client(request: pytest.FixtureRequest) -> Iterator["TestClient"]:
    """A client of `eyewall_app`; for where another plugin's fixture is called `client`."""
    from eyewall.testing import TestClient

    if _owner(request.node) is None:
        made = TestClient(base_url=request.getfixturevalue("base_url"))
    else:
        made = TestClient(request.getfixturevalue("eyewall_app"))
    yield made
    made.close()


@pytest.fixture
def client(eyewall_client: "TestClient") -> "TestClient":
    """A client of `eyewall_app`: `await client.get("/")`. See `TestClient`."""
    return eyewall_client
