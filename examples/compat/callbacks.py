#!/usr/bin/env python
"""A store with callbacks, used from generators with gen.Task, gen.Callback and gen.Wait."""

import logging
import functools

import tornado.web
from tornado import gen
from tornado.ioloop import IOLoop
from tornado.options import define, options, parse_command_line

define("port", default=8888, type=int, help="listen on this port")


class CallbackStore(object):
    """Every answer comes later, by a callback, as drivers of databases were once written."""

    def __init__(self):
        self.rows = {}

    def put(self, key, value, callback):
        self.rows[key] = value
        IOLoop.instance().add_callback(callback)

    def get(self, key, callback):
        IOLoop.instance().add_callback(functools.partial(callback, self.rows.get(key)))

    def find(self, key, callback):
        IOLoop.instance().add_callback(callback, self.rows.get(key), found=key in self.rows)


class RowHandler(tornado.web.RequestHandler):
    @property
    def store(self):
        return self.application.settings["store"]

    @tornado.web.asynchronous
    @gen.engine
    def get(self, key):
        result = yield gen.Task(self.store.find, key)
        value, found = result.args[0], result.kwargs["found"]
        if not found:
            raise tornado.web.HTTPError(404)
        self.finish({key: value})

    @tornado.web.asynchronous
    @gen.engine
    def put(self, key):
        yield gen.Task(self.store.put, key, self.request.body.decode("utf8"))
        self.set_status(201)
        self.finish()


class PairHandler(RowHandler):
    @tornado.web.asynchronous
    @gen.engine
    def get(self, left, right):
        self.store.get(left, callback=(yield gen.Callback("left")))
        self.store.get(right, callback=(yield gen.Callback("right")))
        first = yield gen.Wait("left")
        second = yield gen.Wait("right")
        both = yield [gen.Task(self.store.get, key) for key in (left, right)]
        assert both == [first, second]
        self.finish({"pair": both})


if __name__ == "__main__":
    parse_command_line()
    tornado.web.Application(
        [
            (r"/rows/(\w+)", RowHandler),
            (r"/pairs/(\w+)/(\w+)", PairHandler),
        ],
        store=CallbackStore(),
    ).listen(options.port, "127.0.0.1")
    logging.info("Listening on port %d", options.port)
    IOLoop.instance().start()
