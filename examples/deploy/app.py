"""What the recipes serve: a page, a WebSocket, an event stream."""

import asyncio
import os

from eyewall.realtime.websocket import WebSocketHandler
from eyewall.web import Application, RequestHandler


class Home(RequestHandler):
    """Says which process answers, and whom."""

    def get(self):
        """Tell who asked whom."""
        request = self.request
        self.write({"pid": os.getpid(), "ip": request.remote_ip, "scheme": request.protocol})

    def post(self):
        """Count a body."""
        self.write({"bytes": len(self.request.body)})


class Echo(WebSocketHandler):
    """Sends each message back."""

    def on_message(self, message):
        """Send it back."""
        self.write_message(message)


class Ticks(RequestHandler):
    """An event stream that goes on for as long as somebody reads it."""

    async def get(self):
        """Send an event, and one more each second."""
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-store")
        number = 0
        while True:
            self.write(f"id: {number}\ndata: {os.getpid()}\n\n")
            await self.flush()
            await asyncio.sleep(1)
            number += 1


app = Application([(r"/", Home), (r"/echo", Echo), (r"/ticks", Ticks)])
