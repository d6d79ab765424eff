"""Names that programs of old import, used as they used them."""

import datetime
import io
import time
import wsgiref.util
from concurrent.futures import ThreadPoolExecutor

import pytest

from eyewall.tornado import concurrent, gen, ioloop, locks, queues, util, web, wsgi
from eyewall.tornado.platform.asyncio import (
    AddThreadSelectorEventLoop,
    AnyThreadEventLoopPolicy,
    AsyncIOLoop,
    AsyncIOMainLoop,
    SelectorThread,
    to_asyncio_future,
    to_tornado_future,
)
from eyewall.tornado.testing import AsyncHTTPTestCase, AsyncTestCase, gen_test


def later(value, callback):
    """A function of the days before futures."""
    ioloop.IOLoop.current().add_callback(callback, value + 1)


class CallsFinishLater(web.RequestHandler):
    @web.asynchronous
    def get(self):
        deadline = time.time() + 0.01
        ioloop.IOLoop.instance().add_timeout(deadline, self.done)

    def done(self):
        self.write("later")
        self.finish()


class RunsAnEngine(web.RequestHandler):
    @web.asynchronous
    @gen.engine
    def get(self):
        first = yield gen.Task(later, 1)
        later(first, callback=(yield gen.Callback("key")))
        second = yield gen.Wait("key")
        self.finish({"first": first, "second": second})


class Coroutine(web.RequestHandler):
    @gen.coroutine
    def get(self):
        yield gen.sleep(0)
        answers = yield {"a": gen.maybe_future(1), "b": gen.sleep(0)}
        raise gen.Return(self.finish({"a": answers["a"]}))


class OldHandlers(AsyncHTTPTestCase):
    def get_app(self):
        return web.Application(
            [
                web.url("/later", CallsFinishLater),
                web.URLSpec("/engine", RunsAnEngine),
                (r"/coroutine", Coroutine),
                (r"/wsgi", web.FallbackHandler, {"fallback": wsgi.WSGIContainer(old_site)}),
            ]
        )

    def test_callbacks_finish_later(self):
        assert self.fetch("/later").body == b"later"

    def test_engines_wait_for_callbacks(self):
        assert self.fetch("/engine").body == b'{"first":2,"second":3}'

    def test_coroutines_raise_their_result(self):
        assert self.fetch("/coroutine").body == b'{"a":1}'

    def test_wsgi_programs_are_served(self):
        assert self.fetch("/wsgi").body == b"GET /wsgi"


def old_site(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{environ['REQUEST_METHOD']} {wsgiref.util.request_uri(environ)[-5:]}".encode()]


def test_an_application_runs_in_a_wsgi_server():
    environ = {"PATH_INFO": "/later", "wsgi.input": io.BytesIO()}
    wsgiref.util.setup_testing_defaults(environ)
    heads = []
    program = wsgi.WSGIAdapter(web.Application([("/later", Plain)], access_log=False))
    body = b"".join(program(environ, lambda status, headers: heads.append(status)))
    assert (heads, body) == (["200 OK"], b"plain")


class Plain(web.RequestHandler):
    def get(self):
        self.write("plain")


class OldTests(AsyncTestCase):
    def test_stop_and_wait(self):
        later(1, self.stop)
        assert self.wait() == 2

    @gen_test
    def test_deadlines_are_points_or_distances(self):
        event, queue = locks.Event(), queues.Queue()
        for wait in (event.wait, queue.get):
            for deadline in (
                time.time() - 1,
                self.io_loop.time() - 1,
                datetime.timedelta(seconds=-1),
            ):
                with pytest.raises(gen.TimeoutError):
                    yield wait(timeout=deadline)

    @gen_test
    async def test_futures_are_of_one_kind(self):
        future = concurrent.Future()
        future.set_result(1)
        assert to_tornado_future(future) is future
        assert await to_asyncio_future([future, gen.maybe_future(2)]) == [1, 2]


def test_kinds_of_loops():
    ioloop.IOLoop.configure("tornado.platform.asyncio.AsyncIOLoop")
    loop = AsyncIOLoop()
    assert ioloop.IOLoop.current() is loop
    main = AsyncIOMainLoop()
    main.install()
    assert main.asyncio_loop is loop.asyncio_loop
    selecting = AddThreadSelectorEventLoop(loop.asyncio_loop)
    assert selecting.is_running() is False
    SelectorThread(loop.asyncio_loop).close()
    selecting.close()
    selecting.close()
    ioloop.IOLoop.clear_current()
    assert ioloop.IOLoop.current(instance=False) is None


def test_a_policy_gives_every_thread_a_loop():
    policy = AnyThreadEventLoopPolicy()
    with ThreadPoolExecutor(1) as pool:
        loop = pool.submit(policy.get_event_loop).result()
        assert pool.submit(policy.get_event_loop).result() is loop
        loop.close()


def test_deferreds_are_waited_for(run):
    defer = pytest.importorskip("twisted.internet.defer")
    from eyewall.tornado.platform import twisted

    assert twisted.install is not None

    @gen.coroutine
    def main():
        return (yield defer.succeed(42))

    async def awaited():
        return await main()

    assert run(awaited) == 42


def test_small_things_of_old_are_there():
    assert util.ObjectDict(a=1).a == 1
    assert util.import_object("eyewall.tornado.web") is web
    assert util.unicode_type is str
    assert gen.TimeoutError is util.TimeoutError is ioloop.TimeoutError
