#!/usr/bin/env python
"""Says lines to the echo server and prints what comes back."""

from __future__ import print_function

from tornado import gen
from tornado.ioloop import IOLoop
from tornado.options import define, options, parse_command_line
from tornado.tcpclient import TCPClient

define("port", default=9999, type=int, help="the server's port")
define("lines", default=3, type=int, help="how many lines to say")


@gen.coroutine
def talk():
    stream = yield TCPClient().connect("127.0.0.1", options.port)
    for number in range(options.lines):
        yield stream.write(b"line %d\n" % number)
        reply = yield stream.read_until(b"\n")
        print("heard:", reply.decode().strip())
    stream.close()


if __name__ == "__main__":
    parse_command_line()
    IOLoop.current().run_sync(talk)
