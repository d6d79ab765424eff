"""The board's WebSocket, beside Django's views."""

from eyewall.hosting.django import DjangoMixin
from eyewall.pubsub import Callback
from eyewall.realtime.websocket import WebSocketHandler


class Board(DjangoMixin, WebSocketHandler):
    """Tells a page who looks at it, and then of every change."""

    subscription = None

    async def open(self):
        """Greet the user of Django's session; then pass on what is published."""
        user = self.current_user
        self.write_message({"user": user.get_username() if user else None})
        self.subscription = self.application.hub.subscribe("notes", reader=Callback(self.tell))
        await self.subscription

    def tell(self, messages):
        """Pass on what was published."""
        for message in messages:
            self.write_message(message.data)

    def on_close(self):
        """Nobody looks any more."""
        if self.subscription is not None:
            self.subscription.close()


HANDLERS = [(r"/live/notes", Board)]
