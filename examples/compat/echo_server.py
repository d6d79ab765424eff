#!/usr/bin/env python
"""Sends every line back."""

import logging

from tornado import gen
from tornado.ioloop import IOLoop
from tornado.iostream import StreamClosedError
from tornado.options import define, options, parse_command_line
from tornado.tcpserver import TCPServer

define("port", default=9999, type=int, help="listen on this port")


class EchoServer(TCPServer):
    @gen.coroutine
    def handle_stream(self, stream, address):
        lines = 0
        while True:
            try:
                line = yield stream.read_until(b"\n", max_bytes=4096)
            except StreamClosedError:
                break
            lines += 1
            yield stream.write(line)
        logging.info("%s said %d lines", address[0], lines)


if __name__ == "__main__":
    parse_command_line()
    server = EchoServer()
    server.bind(options.port, "127.0.0.1")
    server.start(1)
    logging.info("Listening on port %d", options.port)
    IOLoop.current().start()
