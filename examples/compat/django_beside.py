#!/usr/bin/env python
"""A Django site in a WSGI container, and a WebSocket handler beside it that its views feed."""

import logging

import django
import tornado.httpserver
import tornado.ioloop
import tornado.web
import tornado.websocket
import tornado.wsgi
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from tornado.options import define, options, parse_command_line

define("port", default=8888, type=int, help="listen on this port")

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for this example",
    USE_TZ=True,
)
django.setup()


class FeedSocket(tornado.websocket.WebSocketHandler):
    open_sockets = set()

    def open(self):
        self.open_sockets.add(self)
        self.write_message({"readers": len(self.open_sockets)})

    def on_message(self, message):
        self.write_message("you said " + message)

    def on_close(self):
        self.open_sockets.discard(self)

    @classmethod
    def tell(cls, text):
        for feed in cls.open_sockets:
            feed.write_message(text)


def index(request):
    return HttpResponse("Hello from Django, %s" % request.GET.get("name", "reader"))


def news(request):
    tornado.ioloop.IOLoop.instance().add_callback(FeedSocket.tell, request.POST["text"])
    return HttpResponse("told", status=202)


def patterns():
    from django.urls import path

    return [path("", index), path("news", news)]


urlpatterns = patterns()


def main():
    parse_command_line()
    site = tornado.wsgi.WSGIContainer(get_wsgi_application())
    application = tornado.web.Application(
        [
            (r"/feed", FeedSocket),
            (r".*", tornado.web.FallbackHandler, dict(fallback=site)),
        ]
    )
    server = tornado.httpserver.HTTPServer(application)
    server.listen(options.port, "127.0.0.1")
    logging.info("Listening on port %d", options.port)
    tornado.ioloop.IOLoop.current().start()


if __name__ == "__main__":
    main()
