#!/usr/bin/env python
"""A room to chat in, by long polling: a request for news waits until there are any."""

import logging
import uuid

import tornado.ioloop
import tornado.web
from tornado import gen
from tornado.concurrent import Future
from tornado.escape import json_encode
from tornado.options import define, options, parse_command_line

define("port", default=8888, type=int, help="listen on this port")
define("keep", default=50, type=int, help="keep this many messages")


class Room(object):
    def __init__(self):
        self.messages = []
        self.listeners = set()

    def say(self, text):
        message = {"id": uuid.uuid4().hex, "text": text}
        self.messages = (self.messages + [message])[-options.keep :]
        logging.info("%d listeners hear %s", len(self.listeners), message["id"])
        listeners, self.listeners = self.listeners, set()
        for listener in listeners:
            listener.set_result([message])
        return message

    def news(self, last_id):
        future = Future()
        seen = [message["id"] for message in self.messages]
        if last_id in seen and seen[-1] != last_id:
            future.set_result(self.messages[seen.index(last_id) + 1 :])
        else:
            self.listeners.add(future)
        return future

    def leave(self, future):
        self.listeners.discard(future)
        future.set_result([])


room = Room()


class SayHandler(tornado.web.RequestHandler):
    def post(self):
        self.write(room.say(self.get_argument("text")))


class NewsHandler(tornado.web.RequestHandler):
    @gen.coroutine
    def post(self):
        self.waiting = room.news(self.get_argument("after", None))
        messages = yield self.waiting
        if self.request.connection.stream.closed():
            return
        self.set_header("Content-Type", "application/json")
        self.write(json_encode({"messages": messages}))

    def on_connection_close(self):
        room.leave(self.waiting)


class CountHandler(tornado.web.RequestHandler):
    def get(self):
        self.write({"listeners": len(room.listeners)})


def main():
    parse_command_line()
    application = tornado.web.Application(
        [
            (r"/say", SayHandler),
            (r"/news", NewsHandler),
            (r"/count", CountHandler),
        ],
        debug=False,
    )
    application.listen(options.port, "127.0.0.1")
    logging.info("Listening on port %d", options.port)
    tornado.ioloop.IOLoop.current().start()


if __name__ == "__main__":
    main()
