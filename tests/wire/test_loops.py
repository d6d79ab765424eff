"""The engine on every kind of loop, beside other users of it, and on threads."""

import asyncio
import gc
import subprocess
import sys
import threading

import pytest
import uvloop

from eyewall._engine import Reactor
from tests.conftest import Live, hello
from tests.support import ROOT

GET = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_it_serves_while_timers_and_tasks_go_on(run, factory):
    async def main():
        ticks = 0

        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0)
                ticks += 1

        ticking = asyncio.ensure_future(tick())
        live = Live(hello)
        answers = await asyncio.gather(*(live.ask(GET) for _ in range(50)))
        assert all(answer.endswith(b"hello") for answer in answers)
        assert ticks
        ticking.cancel()
        live.close()

    run(main, factory)


def test_it_serves_on_twisteds_reactor():
    program = """
import asyncio
from twisted.internet import asyncioreactor
loop = asyncio.new_event_loop()
asyncioreactor.install(loop)
from twisted.internet import reactor, task
from eyewall.http.server import HTTPServer

def app(exchange):
    def later():
        exchange.respond(200, {}, b"from twisted")
    reactor.callLater(0.01, later)

async def main():
    server = HTTPServer(app)
    [sock] = server.listen(0, "127.0.0.1")
    reader, writer = await asyncio.open_connection(*sock.getsockname())
    writer.write(b"GET / HTTP/1.1\\r\\nHost: h\\r\\nConnection: close\\r\\n\\r\\n")
    print((await reader.read()).rpartition(b"\\r\\n")[2].decode(), flush=True)
    server.close()
    reactor.stop()

reactor.callWhenRunning(lambda: loop.create_task(main()))
reactor.run()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=ROOT
    )
    assert done.stdout == "from twisted\n", done.stderr


def test_one_reactor_a_loop_and_several_loops_in_several_threads():
    answers = []

    def serve():
        async def main():
            loop = asyncio.get_running_loop()
            assert Reactor.of(loop).fileno() == Reactor.of(loop).fileno()
            live = Live(hello)
            answers.append(await live.ask(GET))
            live.close()

        asyncio.run(main())

    threads = [threading.Thread(target=serve) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert all(answer.endswith(b"hello") for answer in answers)


def test_a_dropped_exchange_is_answered_500_from_any_thread(run):
    async def main():
        def here(exchange):
            del exchange

        def elsewhere(exchange):
            box = [exchange]
            thread = threading.Thread(target=box.clear)
            del exchange
            thread.start()
            thread.join()

        for app in (here, elsewhere):
            live = Live(app)
            assert (await live.ask(GET)).startswith(b"HTTP/1.1 500 ")
            live.close()

    run(main)


def test_a_call_from_another_thread_raises_and_harms_nothing(run):
    async def main():
        errors = []

        def app(exchange):
            def wrong():
                try:
                    exchange.respond(200, {}, b"wrong thread")
                except RuntimeError as exc:
                    errors.append(str(exc))

            thread = threading.Thread(target=wrong)
            thread.start()
            thread.join()
            hello(exchange)

        live = Live(app)
        assert (await live.ask(GET)).endswith(b"hello")
        assert "call_soon_threadsafe" in errors[0]
        live.close()

    run(main)


def test_an_exception_in_the_application_is_reported_once_and_answered_500(run):
    async def main():
        reported = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: reported.append(context))

        def app(exchange):
            raise LookupError(exchange.path)

        live = Live(app)
        assert (await live.ask(GET)).startswith(b"HTTP/1.1 500 ")
        assert [str(context["exception"]) for context in reported] == ["/"]
        assert "GET /" in reported[0]["message"]
        live.close()

    run(main)


def test_context_variables_of_one_request_are_not_seen_by_the_next(run):
    import contextvars

    variable = contextvars.ContextVar("variable", default="unset")

    async def main():
        seen = []

        def app(exchange):
            seen.append(variable.get())
            variable.set(exchange.path)
            hello(exchange)

        live = Live(app)
        for _ in range(2):
            await live.ask(GET)
        assert seen == ["unset", "unset"]
        live.close()

    run(main)


def test_exchanges_and_callbacks_do_not_leak(run):
    class Marker:
        pass

    async def main():
        import weakref

        markers = []

        def app(exchange):
            marker = Marker()
            markers.append(weakref.ref(marker))
            exchange.on_disconnect(lambda: marker)
            if exchange.path == "/":
                hello(exchange)

        live = Live(app)
        for path in (b"/", b"/drop"):
            await live.ask(GET.replace(b"/ ", path + b" "))
        live.close()
        await asyncio.sleep(0)
        gc.collect()
        assert [marker() for marker in markers] == [None, None]

    run(main)


def test_a_closed_loop_takes_its_sockets_with_it():
    kept = []

    async def main():
        live = Live(kept.append)
        peer = await live.connect()
        peer.send(GET)
        while not kept:
            await asyncio.sleep(0)
        peer.writer.transport.abort()

    asyncio.run(main())
    gc.collect()
    exchange = kept.pop()
    assert not exchange.connected
    asyncio.run(asyncio.sleep(0))
