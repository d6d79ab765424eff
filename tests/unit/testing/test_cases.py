"""unittest cases with a loop and a server of their own."""

import asyncio
import contextlib
import logging
import subprocess
import sys
import unittest

import pytest

from eyewall.http.client import AsyncHTTPClient, HTTPClientError
from eyewall.loop import IOLoop
from eyewall.testing import (
    AsyncHTTPSTestCase,
    AsyncHTTPTestCase,
    AsyncTestCase,
    ExpectLog,
    bind_unused_port,
    gen_test,
    get_async_test_timeout,
    setup_with_context_manager,
)
from eyewall.testing.certificates import certificate_files
from eyewall.web import Application, RequestHandler


class Home(RequestHandler):
    def get(self):
        self.write(self.request.protocol)


def make_app():
    return Application([(r"/", Home)], access_log=False)


def outcome(case):
    """Run a case's tests; returns the texts of what failed."""
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    return [text for _, text in result.errors + result.failures]


class TestHTTP(AsyncHTTPTestCase):
    def get_app(self):
        return make_app()

    def test_fetch_returns_statuses_without_raising(self):
        assert self.fetch("/").body == b"http"
        assert self.fetch(self.get_url("/missing")).code == 404

    @gen_test
    async def test_a_coroutine_asks_with_the_cases_own_client(self):
        response = await self.http_client.fetch(self.get_url("/"))
        assert response.body == b"http"

    @gen_test
    def test_a_generator_does_too(self):
        first, second = yield [self.http_client.fetch(self.get_url("/")) for _ in range(2)]
        assert first.body == second.body
        yield None

    def test_the_loop_is_the_threads_own(self):
        assert IOLoop.current() is self.io_loop


class TestHTTPS(AsyncHTTPSTestCase):
    def get_app(self):
        return make_app()

    def test_fetch_speaks_tls(self):
        assert self.get_url("/").startswith("https://")
        assert self.fetch("/").body == b"https"

    def test_the_certificate_can_be_verified(self):
        trusting = certificate_files().authority
        assert self.fetch("/", validate_cert=True, ca_certs=trusting).code == 200
        client = AsyncHTTPClient(force_instance=True)
        with pytest.raises(HTTPClientError, match="certificate"):
            self.io_loop.run_sync(lambda: client.fetch(self.get_url("/")))
        client.close()


class TestCallbacks(AsyncTestCase):
    def test_wait_returns_what_stop_was_given(self):
        self.io_loop.add_callback(self.stop, 42)
        assert self.wait() == 42
        self.io_loop.add_callback(self.stop, a=1)
        assert self.wait() == {"a": 1}

    def test_stop_may_come_first(self):
        self.stop("early")
        assert self.wait() == "early"

    def test_wait_goes_on_until_its_condition_holds(self):
        seen = []

        def count():
            seen.append(1)
            self.stop()
            self.io_loop.add_callback(count)

        self.io_loop.add_callback(count)
        self.wait(condition=lambda: len(seen) >= 3)
        assert len(seen) >= 3

    def test_wait_fails_when_nothing_stops_it(self):
        with pytest.raises(AssertionError, match=r"stop\(\) within 0.01"):
            self.wait(timeout=0.01)

    def test_gen_test_has_a_limit(self):
        @gen_test(timeout=0.01)
        async def waits(self):
            await asyncio.get_running_loop().create_future()

        with pytest.raises(TimeoutError):
            waits(self)


def test_tests_that_would_only_seem_to_run_are_errors():
    class Forgotten(AsyncTestCase):
        async def test_coroutine(self):
            raise AssertionError("nobody awaits this")

        def test_generator(self):
            yield

        def test_value(self):
            return 42

    faults = outcome(Forgotten)
    assert sum("should be decorated with gen_test" in text for text in faults) == 2
    assert sum("Return value from test method ignored: 42" in text for text in faults) == 1


def test_what_a_test_leaves_running_is_cancelled_and_its_failure_told(caplog):
    ended = []

    class Leaves(AsyncTestCase):
        @gen_test
        async def test_it(self):
            async def forever(name):
                try:
                    await asyncio.get_running_loop().create_future()
                finally:
                    ended.append(name)
                    if name == "bad":
                        raise RuntimeError("at the end")

            self.tasks = [asyncio.ensure_future(forever(name)) for name in ("good", "bad")]
            await asyncio.sleep(0)

    with ExpectLog("asyncio", "a task that the test left running failed"):
        assert outcome(Leaves) == []
    assert sorted(ended) == ["bad", "good"]


def test_the_application_and_the_server_are_let_go():
    class Case(AsyncHTTPTestCase):
        def get_app(self):
            return make_app()

        def test_it(self):
            assert self._app is not None

    case = Case("test_it")
    case.run(unittest.TestResult())
    assert not hasattr(case, "_app")
    assert not hasattr(case, "http_server")


def test_contexts_end_with_their_test():
    events = []

    @contextlib.contextmanager
    def context():
        events.append("in")
        yield "value"
        events.append("out")

    class Case(AsyncTestCase):
        def setUp(self):
            super().setUp()
            assert setup_with_context_manager(self, context()) == "value"

        def test_it(self):
            events.append("test")

    assert outcome(Case) == []
    assert events == ["in", "test", "out"]


def test_the_limit_comes_from_the_environment(monkeypatch):
    monkeypatch.delenv("ASYNC_TEST_TIMEOUT", raising=False)
    assert get_async_test_timeout() == 5
    monkeypatch.setenv("ASYNC_TEST_TIMEOUT", "7.5")
    assert get_async_test_timeout() == 7.5
    monkeypatch.setenv("ASYNC_TEST_TIMEOUT", "long")
    with pytest.raises(ValueError, match="ASYNC_TEST_TIMEOUT"):
        get_async_test_timeout()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_port_is_bound_and_listens(address):
    try:
        sock, port = bind_unused_port(address=address)
    except OSError:
        pytest.skip(f"this machine has no {address}")
    with sock:
        assert sock.getsockname()[:2] == (address, port)
        assert sock.getblocking() is False


def test_expected_records_are_taken_out(caplog):
    log = logging.getLogger("test.expected")
    with ExpectLog(log, "the disk is") as expected:
        log.warning("the disk is full")
        log.warning("something else")
    assert (expected.matched, expected.logged_stack) == (True, False)
    assert [record.getMessage() for record in caplog.records] == ["something else"]


def test_a_record_that_does_not_come_is_an_error():
    with pytest.raises(AssertionError, match="the disk is"):
        with ExpectLog("test.expected", "the disk is"):
            pass
    with ExpectLog("test.expected", "the disk is", required=False) as expected:
        pass
    assert not expected.matched
    with pytest.raises(KeyError):
        with ExpectLog("test.expected", "the disk is"):
            raise KeyError("its own error wins")


def test_a_level_is_let_through_meanwhile():
    log = logging.getLogger("test.quiet")
    log.setLevel(logging.ERROR)
    with ExpectLog(log, "hello", level=logging.DEBUG):
        log.debug("hello")
    assert log.level == logging.ERROR
    with pytest.raises(AssertionError):
        with ExpectLog(log, "hello", level=logging.DEBUG):
            log.error("hello")


PROGRAM = """
import unittest
from eyewall.testing import AsyncTestCase, gen_test, main

class Case(AsyncTestCase):
    @gen_test
    async def test_good(self):
        pass

    def test_bad(self):
        self.fail("it is bad")

def all():
    return unittest.defaultTestLoader.loadTestsFromTestCase(Case)

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize(
    ("args", "code", "ran"),
    [
        ([], 1, "Ran 2 tests"),
        (["--verbose", "program.Case.test_good"], 0, "test_good (program.Case"),
        (["--failfast", "--logging=none", "program.Case.test_good"], 0, "Ran 1 test"),
        (["--nothing"], 1, "there is no option 'nothing'"),
    ],
)
def test_the_runner_takes_names_and_options(tmp_path, args, code, ran):
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "program.py", *args], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == code
    assert ran in done.stderr
