#!/usr/bin/env python
"""Named routes, arguments of handlers, and an application that listens on one address."""

import logging

import tornado.ioloop
import tornado.web
from tornado.options import define, options, parse_command_line
from tornado.web import url

define("port", default=8888, type=int, help="listen on this port")
define("address", default="127.0.0.1", help="listen on this address")

NOTES = {"1": "Buy rope", "2": "Mend the <sail>"}


class IndexHandler(tornado.web.RequestHandler):
    def initialize(self, notes):
        self.notes = notes

    def get(self):
        for key in sorted(self.notes):
            link = self.reverse_url("note", key)
            text = tornado.escape.xhtml_escape(self.notes[key])
            self.write('<a href="%s">%s</a>\n' % (link, text))

    def post(self):
        key = str(len(self.notes) + 1)
        self.notes[key] = self.get_argument("text")
        self.redirect(self.reverse_url("note", key))


class NoteHandler(tornado.web.RequestHandler):
    def initialize(self, notes):
        self.notes = notes

    def get(self, key):
        if key not in self.notes:
            raise tornado.web.HTTPError(404)
        self.write({"note": self.notes[key], "index": self.reverse_url("index")})


def main():
    parse_command_line()
    application = tornado.web.Application(
        [
            url(r"/", IndexHandler, dict(notes=NOTES), name="index"),
            url(r"/notes/([0-9]+)", NoteHandler, dict(notes=NOTES), name="note"),
        ]
    )
    application.listen(options.port, address=options.address)
    logging.info("Listening on port %d", options.port)
    tornado.ioloop.IOLoop.instance().start()


if __name__ == "__main__":
    main()
