"""Background work: goes on after the answer, is awaited on stop, and is logged when it fails."""

import asyncio

import pytest

from eyewall.web import Application, RequestHandler
from tests.conftest import Live


def test_work_goes_on_after_the_answer_and_is_awaited_on_drain(run):
    async def main():
        done = []
        go = asyncio.Event()

        async def work():
            await go.wait()
            done.append(1)
            app.background.spawn(more(), label="more")

        async def more():
            done.append(2)

        class Handler(RequestHandler):
            def get(self):
                self.spawn(work())
                self.write("answered")

        app = Application([("/", Handler)], access_log=False)
        live = Live(app)
        assert b"answered" in await live.ask(
            b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        )
        assert done == []
        drained = asyncio.ensure_future(app.drain(30))
        go.set()
        await drained
        live.close()
        return done, len(app.background)

    assert run(main) == ([1, 2], 0)


def test_an_error_is_logged_with_the_requests_id(run, caplog):
    async def main():
        async def work():
            raise LookupError("broken")

        class Handler(RequestHandler):
            def get(self):
                self.spawn(work())

        app = Application([("/", Handler)], access_log=False)
        live = Live(app)
        await live.ask(
            b"GET / HTTP/1.1\r\nHost: h\r\nX-Request-Id: abc-7\r\nConnection: close\r\n\r\n"
        )
        await app.drain()
        live.close()

    run(main)
    (record,) = [record for record in caplog.records if record.exc_info]
    assert "of request abc-7 failed" in record.getMessage()
    assert record.request_id == "abc-7"
    assert "broken" in caplog.text


def test_what_never_ends_is_cancelled_at_the_deadline(run, caplog):
    async def main():
        app = Application()
        task = app.background.spawn(asyncio.Event().wait(), label="endless")
        await app.drain(0.01)
        return task.cancelled()

    assert run(main)
    assert "1 pieces of background work were cancelled" in caplog.text


def test_only_coroutines_can_be_spawned(run):
    async def main():
        with pytest.raises(TypeError, match="takes a coroutine"):
            Application().background.spawn(print, label="no")

    run(main)
