"""Twisted and Eyewall in one process: a line protocol and web pages share what they know.

Whoever connects to the line protocol's port says `set NAME VALUE`, `get NAME` or `wait NAME`; the
pages read and change the same values. `wait` is a Deferred, and the page awaits it as it is.
"""

import os

from eyewall import Application, RequestHandler
from eyewall.aio.deferreds import install

install()

# Both take the reactor that is there when they are imported.
from twisted.internet import endpoints, reactor  # noqa: E402
from twisted.internet.defer import Deferred, succeed  # noqa: E402
from twisted.internet.protocol import Factory  # noqa: E402
from twisted.protocols.basic import LineReceiver  # noqa: E402


class Values:
    """Names and values; a name that has none yet can be waited for."""

    def __init__(self):
        self.known = {}
        self.waiting = {}

    def set(self, name, value):
        """Set a value, and tell all that wait for it."""
        self.known[name] = value
        for deferred in self.waiting.pop(name, []):
            deferred.callback(value)

    def wait(self, name):
        """A Deferred of the value."""
        if name in self.known:
            return succeed(self.known[name])
        deferred = Deferred()
        self.waiting.setdefault(name, []).append(deferred)
        return deferred


class Lines(LineReceiver):
    """One connection of the line protocol."""

    def __init__(self, values):
        self.values = values

    def lineReceived(self, line):  # noqa: N802 - Twisted's name
        """Answer a line."""
        command, *words = line.decode("utf-8", "replace").split()[:3] or [""]
        if command == "set" and len(words) == 2:
            self.values.set(*words)
            self.answer("ok")
        elif command == "get" and len(words) == 1:
            self.answer(self.values.known.get(words[0], ""))
        elif command == "wait" and len(words) == 1:
            self.values.wait(words[0]).addCallback(self.answer)
        else:
            self.answer("set NAME VALUE, get NAME, wait NAME")

    def answer(self, text):
        """Send a line."""
        self.sendLine(text.encode())


class ValuePage(RequestHandler):
    """One value over HTTP."""

    async def get(self, name):
        """The value, once there is one."""
        self.write({name: await self.application.values.wait(name)})

    def put(self, name):
        """Set it to the body."""
        self.application.values.set(name, self.request.body.decode())


class Program(Application):
    """Pages, and the line protocol beside them."""

    def __init__(self):
        super().__init__([(r"/([a-z0-9]+)", ValuePage)], access_log=False)
        self.values = Values()
        self.lines_port = None
        self.resource(listening)


async def listening(app):
    """Listen for the line protocol while the application runs."""
    factory = Factory.forProtocol(Lines)
    factory.buildProtocol = lambda address: Lines(app.values)
    endpoint = endpoints.TCP4ServerEndpoint(
        reactor, int(os.environ.get("LINES_PORT", "1234")), interface="127.0.0.1"
    )
    port = await endpoint.listen(factory)
    app.lines_port = port.getHost().port
    print(f"Lines on port {app.lines_port}", flush=True)  # noqa: T201 - who runs it wants to know
    try:
        yield
    finally:
        await port.stopListening()


app = Program()
