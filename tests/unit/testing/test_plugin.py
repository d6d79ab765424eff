"""The pytest plugin, in runs of pytest of its own."""

from importlib.metadata import entry_points

import pytest

pytest_plugins = ["pytester"]

PLUGIN = "eyewall_pytest.plugin"
APP = """
import asyncio
import pytest
from eyewall.web import Application, RequestHandler

class Home(RequestHandler):
    async def get(self):
        await asyncio.sleep(float(self.get_argument("s", "0")))
        self.write("hello")

@pytest.fixture
def eyewall_app():
    return Application([(r"/", Home)])
"""


@pytest.fixture
def outcomes(pytester):
    """Run tests in a process of their own; returns how many passed, failed and so on."""

    def run(tests, *args, app=APP):
        installed = any(found.value == PLUGIN for found in entry_points(group="pytest11"))
        pytester.makeconftest(app)
        pytester.makepyfile(tests)
        chosen = [] if installed else ["-p", PLUGIN]
        result = pytester.runpytest_subprocess(*chosen, "-W", "error", *args)
        run.output = result.stdout.str() + result.stderr.str()
        return result.parseoutcomes()

    return run


def test_a_coroutine_test_asks_the_application(outcomes):
    assert outcomes(
        """
        async def test_hello(client):
            assert (await client.get("/")).text == "hello"
        """
    ) == {"passed": 1}


def test_a_coroutine_test_needs_no_fixture_and_fails_with_its_own_error(outcomes):
    assert outcomes(
        """
        import asyncio
        import pytest

        async def test_passes():
            await asyncio.sleep(0)

        @pytest.mark.parametrize("value", [1, 2])
        async def test_fails(value):
            assert value == 1

        class TestGroup:
            async def test_method(self):
                await asyncio.sleep(0)
        """
    ) == {"passed": 3, "failed": 1}
    assert "assert 2 == 1" in outcomes.output


def test_a_plain_test_uses_the_server_through_the_loop(outcomes):
    assert outcomes(
        """
        from eyewall.http.client import AsyncHTTPClient

        def test_hello(io_loop, base_url, http_server):
            async def ask():
                return await AsyncHTTPClient().fetch(base_url + "/")
            assert io_loop.run_sync(ask).body == b"hello"
            assert http_server.stats()["requests"] == 1
        """
    ) == {"passed": 1}


def test_the_clock_lets_time_outs_pass_at_once(outcomes):
    assert outcomes(
        """
        import asyncio
        import pytest

        async def test_late(client, fake_clock):
            assert (await client.get("/?s=3600", timeout_s=5000.0)).text == "hello"
            assert fake_clock.time() > 3600

        async def test_moved(fake_clock):
            fake_clock.autojump = False
            waiting = asyncio.create_task(asyncio.sleep(60))
            await fake_clock.advance(61)
            assert waiting.done()
        """
    ) == {"passed": 2}


def test_the_application_must_be_given(outcomes):
    assert outcomes("async def test_it(client): pass", app="") == {"errors": 1}
    assert "override the fixture eyewall_app" in outcomes.output


def test_what_a_test_leaves_running_is_cancelled(outcomes):
    assert outcomes(
        """
        import asyncio
        ended = []

        async def forever():
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                ended.append(True)

        async def test_leaves_a_task():
            asyncio.create_task(forever())
            await asyncio.sleep(0)

        def test_it_is_gone():
            assert ended == [True]
        """
    ) == {"passed": 2}


def test_tests_of_anyio_stay_with_it(outcomes):
    pytest.importorskip("anyio")
    assert outcomes(
        """
        import anyio
        import pytest

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.mark.anyio
        async def test_there(client):
            await anyio.sleep(0)
            assert (await client.get("/")).text == "hello"

        @pytest.mark.anyio
        async def test_two_loops(client, base_url):
            pass

        async def test_here(client):
            assert (await client.get("/")).text == "hello"
        """
    ) == {"passed": 2, "errors": 1}
    assert "runs the test in another" in outcomes.output


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_tests_of_pytest_asyncio_stay_with_it(outcomes, mode):
    pytest.importorskip("pytest_asyncio")
    tests = """
        import asyncio
        import pytest

        @pytest.mark.asyncio
        async def test_marked(client):
            assert (await client.get("/")).text == "hello"

        async def test_unmarked(client):
            await asyncio.sleep(0)
            assert (await client.get("/")).text == "hello"
        """
    chosen = (f"asyncio_mode={mode}", "asyncio_default_fixture_loop_scope=function")
    assert outcomes(tests, "-o", chosen[0], "-o", chosen[1]) == {"passed": 2}


def test_a_run_that_does_not_use_it_never_imports_the_framework(outcomes):
    assert outcomes(
        """
        import sys

        def test_it():
            assert "eyewall" not in sys.modules
        """,
        app="",
    ) == {"passed": 1}
