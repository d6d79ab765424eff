#!/usr/bin/env python
"""Walks a site: a queue of pages, several workers, and at most so many fetches at a time."""

from __future__ import print_function

import re
from datetime import timedelta
from urllib.parse import urldefrag, urljoin

from tornado import gen, httpclient, ioloop, queues
from tornado.locks import Semaphore
from tornado.options import define, options, parse_command_line

define("start", default="http://127.0.0.1:8888/", help="the first page")
define("workers", default=8, type=int, help="how many pages are in hand at a time")
define("fetches", default=3, type=int, help="how many are fetched at a time")

HREF = re.compile(r'<a\s[^>]*href="([^"]*)"')


@gen.coroutine
def links_of(url, room):
    with (yield room.acquire()):
        response = yield httpclient.AsyncHTTPClient().fetch(url)
    html = response.body.decode("utf8", "replace")
    return [urldefrag(urljoin(url, href))[0] for href in HREF.findall(html)]


@gen.coroutine
def crawl():
    waiting = queues.Queue()
    room = Semaphore(options.fetches)
    seen, failed = set(), []

    @gen.coroutine
    def take_one():
        url = yield waiting.get()
        try:
            if url in seen:
                return
            seen.add(url)
            for link in (yield links_of(url, room)):
                if link.startswith(options.start):
                    yield waiting.put(link)
        except httpclient.HTTPError as e:
            failed.append((e.code, url))
        finally:
            waiting.task_done()

    @gen.coroutine
    def worker():
        while True:
            yield take_one()

    waiting.put(options.start)
    for _ in range(options.workers):
        worker()
    yield waiting.join(timeout=timedelta(seconds=60))
    for url in sorted(seen):
        print("seen", url)
    for code, url in sorted(failed):
        print("failed", code, url)


if __name__ == "__main__":
    parse_command_line()
    ioloop.IOLoop.current().run_sync(crawl)
