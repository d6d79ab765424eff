#!/usr/bin/env python
"""A handler that is not over when its method returns: a timer finishes it."""

import logging
import datetime
import time

import tornado.httpserver
import tornado.ioloop
import tornado.web
from tornado.options import define, options, parse_command_line

define("port", default=8888, type=int, help="listen on this port")


class EggHandler(tornado.web.RequestHandler):
    @tornado.web.asynchronous
    def get(self):
        seconds = float(self.get_argument("seconds", "0.01"))
        self.write("boiling... ")
        loop = tornado.ioloop.IOLoop.instance()
        if self.get_argument("delta", None):
            deadline = datetime.timedelta(seconds=seconds)
        else:
            deadline = time.time() + seconds
        self.timer = loop.add_timeout(deadline, self.on_time)

    def on_time(self):
        self.write("done")
        self.finish()

    def on_connection_close(self):
        tornado.ioloop.IOLoop.instance().remove_timeout(self.timer)


class BrokenHandler(tornado.web.RequestHandler):
    @tornado.web.asynchronous
    def get(self):
        raise tornado.web.HTTPError(418)


if __name__ == "__main__":
    parse_command_line()
    application = tornado.web.Application(
        [
            (r"/egg", EggHandler),
            (r"/broken", BrokenHandler),
        ]
    )
    server = tornado.httpserver.HTTPServer(application)
    server.listen(options.port, "127.0.0.1")
    logging.info("Listening on port %d", options.port)
    tornado.ioloop.IOLoop.instance().start()
