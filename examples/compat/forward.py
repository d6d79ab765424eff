#!/usr/bin/env python
"""A proxy by streams: whatever comes in on one port goes out to another, and back."""

import logging
import socket

from tornado import gen
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, StreamClosedError
from tornado.options import define, options, parse_command_line
from tornado.tcpserver import TCPServer

define("port", default=8888, type=int, help="listen on this port")
define("to_host", default="127.0.0.1", help="forward to this host")
define("to_port", default=80, type=int, help="forward to this port")


class ForwardServer(TCPServer):
    @gen.coroutine
    def handle_stream(self, stream, address):
        upstream = IOStream(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        try:
            yield upstream.connect((options.to_host, options.to_port))
        except StreamClosedError as e:
            logging.warning("cannot connect for %s: %s", address[0], e.real_error)
            stream.close()
            return
        stream.set_close_callback(upstream.close)
        yield [self.copy(stream, upstream), self.copy(upstream, stream)]

    @gen.coroutine
    def copy(self, source, target):
        try:
            while True:
                data = yield source.read_bytes(65536, partial=True)
                yield target.write(data)
        except StreamClosedError:
            target.close()


if __name__ == "__main__":
    parse_command_line()
    server = ForwardServer()
    server.listen(options.port, "127.0.0.1")
    logging.info("Listening on port %d", options.port)
    IOLoop.instance().start()
