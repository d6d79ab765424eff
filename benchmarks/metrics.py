"""What metrics, request ids and health checks add to a request, and what prometheus_client takes.

    python benchmarks/metrics.py

An application answers requests from memory, without a server, so what is seen is Python's part.
Each figure is the best of several rounds, which take turns in one process.
"""

import sys
import time

import prometheus_client

from eyewall.http.memory import MemoryExchange
from eyewall.ops.health import Health, HealthFront
from eyewall.ops.identify import RequestIds
from eyewall.ops.metrics.requests import RequestStats
from eyewall.web import Application, RequestHandler

CALLS = 20_000
ROUNDS = 15


class Hello(RequestHandler):
    def get(self):
        self.write("hello")


def make(front=lambda app: app, *, observer=None):
    app = Application([(r"/", Hello)], access_log=False)
    if observer is not None:
        app.observe(observer)
    return front(app)


def serving(app):
    def serve():
        exchanges = [MemoryExchange() for _ in range(CALLS)]
        began = time.process_time()
        for exchange in exchanges:
            app(exchange)
        return time.process_time() - began

    return serve


def telling(tell):
    def serve():
        began = time.process_time()
        for _ in range(CALLS):
            tell("/users/(.*)", "GET", 200, 0.0123)
        return time.process_time() - began

    return serve


def main():
    theirs = prometheus_client.Histogram(
        "seconds", "s", ("route", "method", "status"), registry=None
    )

    def tell_theirs(route, method, status, seconds):
        theirs.labels(route, method, status).observe(seconds)

    runs = {
        "a request, nothing on": serving(make()),
        "with --metrics": serving(make(observer=RequestStats())),
        "with --health": serving(make(lambda app: HealthFront(app, Health()))),
        "with --request-ids": serving(make(RequestIds)),
        "one answer counted: Eyewall": telling(RequestStats()),
        "one answer counted: prometheus_client": telling(tell_theirs),
    }
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(ROUNDS):
        for name, run in runs.items():
            best[name] = min(best[name], run())
    base = best["a request, nothing on"]
    print(f"Python {sys.version.split()[0]}; CPU us, best of {ROUNDS} rounds of {CALLS}")
    for name, seconds in best.items():
        more = f"  (+{(seconds - base) / CALLS * 1e6:.2f})" if name.startswith("with") else ""
        print(f"{name:40} {seconds / CALLS * 1e6:6.2f}{more}")


if __name__ == "__main__":
    main()
