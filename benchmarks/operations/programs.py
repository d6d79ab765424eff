"""The program that all servers serve: it waits 10 ms and answers with 13 bytes; as ASGI, WSGI and Eyewall's."""

import asyncio
import time

BODY = b"Hello, world!"
WAIT_S = 0.01
_FIELDS = [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY)))]
_RAW = [(name.lower().encode(), value.encode()) for name, value in _FIELDS]


async def asgi(scope, receive, send):
    """Serve over ASGI."""
    if scope["type"] == "lifespan":
        while (event := (await receive())["type"]) is not None:
            await send({"type": f"{event}.complete"})
            if event == "lifespan.shutdown":
                return
    await asyncio.sleep(WAIT_S)
    await send({"type": "http.response.start", "status": 200, "headers": _RAW})
    await send({"type": "http.response.body", "body": BODY})


def wsgi(environ, start_response):
    """Serve over WSGI, a thread for each request."""
    time.sleep(WAIT_S)
    start_response("200 OK", _FIELDS)
    return [BODY]


def make_own():
    """Eyewall's application."""
    from eyewall import Application

    async def home(request):
        await asyncio.sleep(WAIT_S)
        return BODY.decode()

    return Application([(r"/", home)])


def make_busy():
    """An application of Eyewall's whose every answer takes 1 ms of CPU."""
    from eyewall import Application

    def home(request):
        end = time.thread_time() + 0.001
        while time.thread_time() < end:
            pass
        return BODY.decode()

    return Application([(r"/", home)])


def make_events():
    """An application of Eyewall's with an event stream that never ends by itself."""
    from eyewall import Application
    from eyewall.realtime import EventSourceHandler

    class Events(EventSourceHandler):
        async def events(self):
            yield "first"
            await asyncio.Event().wait()

    return Application([(r"/", lambda request: "up"), (r"/events", Events)])
