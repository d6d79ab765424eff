"""`eyewall bench URL`: a small load run with a live table."""

import asyncio
import signal
import sys
import time
from bisect import bisect_left
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TextIO, final

from eyewall.base.errors import ConfigurationError
from eyewall.cli.times import seconds
from eyewall.http.client import HTTPClientError, HTTPRequest
from eyewall.http.client.simple import SimpleAsyncHTTPClient
from eyewall.http.client.url import parse_url

if TYPE_CHECKING:
    import argparse

# From 10 us to 100 s, each 5 % above the one before.
_BOUNDS: Final = tuple(1e-5 * 1.05**step for step in range(331))
_HEAD: Final = (
    f"{'seconds':>8} {'answers':>9} {'a second':>9} {'p50 ms':>8} {'p99 ms':>8} {'failed':>7}"
)
_MOST_CONNECTIONS: Final = 10_000


@final
class Latencies:
    """Durations, counted in steps of 5 %."""

    def __init__(self) -> None:
        self.count = 0
        self.longest = 0.0
        self._counts = [0] * (len(_BOUNDS) + 1)

    def add(self, duration_s: float) -> None:
        """Count one."""
        self.count += 1
        self.longest = max(self.longest, duration_s)
        self._counts[bisect_left(_BOUNDS, duration_s)] += 1

    def percentile(self, percent: float) -> float:
        """The duration in seconds that so many percent do not exceed, to 5 %; 0 without any."""
        wanted = self.count * percent / 100
        so_far = 0
        for bound, count in zip((*_BOUNDS, self.longest), self._counts, strict=True):
            so_far += count
            if count and so_far >= wanted:
                return min(bound, self.longest)
        return 0.0


@final
class Load:
    """Asks one URL over several connections for a time.

    Args:
        request: What to ask.
        connections: How many ask at once.
        duration_s: For how long.
        options: Options of the client.
    """

    def __init__(
        self, request: HTTPRequest, connections: int, duration_s: float, **options: Any
    ) -> None:
        self._request = request
        self._connections = connections
        self._duration_s = duration_s
        self._options = options
        self.all = Latencies()
        self.statuses: Counter[int] = Counter()
        self.failures: Counter[str] = Counter()
        self._second = Latencies()
        self._over = asyncio.Event()

    def stop(self) -> None:
        """End before the time is up."""
        self._over.set()

    async def run(self, out: TextIO) -> float:
        """Ask, and write a line a second; returns how many seconds it took."""
        client = SimpleAsyncHTTPClient(
            force_instance=True, max_clients=self._connections, trust_env=False, **self._options
        )
        began = time.monotonic()
        asking = [asyncio.ensure_future(self._ask(client)) for _ in range(self._connections)]
        try:
            await self._watch(out, began)
        finally:
            self._over.set()
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            client.close()
        return time.monotonic() - began

    async def _watch(self, out: TextIO, began: float) -> None:
        print(_HEAD, file=out, flush=True)
        number, end = 0, began + self._duration_s
        while (now := time.monotonic()) < end and not self._over.is_set():
            number += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._over.wait(), min(began + number, end) - now)
            second, self._second = self._second, Latencies()
            took = time.monotonic() - now
            print(
                f"{time.monotonic() - began:8.1f} {self.all.count:9d} {second.count / took:9.0f} "
                f"{second.percentile(50) * 1e3:8.2f} {second.percentile(99) * 1e3:8.2f} "
                f"{sum(self.failures.values()):7d}",
                file=out,
                flush=True,
            )

    async def _ask(self, client: SimpleAsyncHTTPClient) -> None:
        while not self._over.is_set():
            began = time.perf_counter()
            try:
                response = await client.fetch(self._request, raise_error=False)
            except (HTTPClientError, OSError, ValueError) as exc:
                self.failures[f"{type(exc).__name__}: {exc}"[:100]] += 1
                # A server that refuses at once would be asked without a pause.
                await asyncio.sleep(0.05)
                continue
            took = time.perf_counter() - began
            self.all.add(took)
            self._second.add(took)
            self.statuses[response.code] += 1


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `bench`."""
    text = "ask a URL again and again, and say how fast it answers"
    sub = verbs.add_parser("bench", help=text, description=f"{text.capitalize()}.")
    sub.add_argument("url")
    sub.add_argument("-c", "--connections", type=int, default=10, help="default: 10")
    sub.add_argument(
        "-d", "--duration", type=seconds, default=10.0, metavar="TIME", help="default: 10s"
    )
    sub.add_argument("-X", "--method", default="GET")
    sub.add_argument(
        "-H", "--header", action="append", default=[], metavar="NAME: VALUE", help="repeatable"
    )
    sub.add_argument("--body", help="content to send")
    sub.add_argument("--http1", action="store_true", help="do not offer HTTP/2 over TLS")
    sub.add_argument("--insecure", action="store_true", help="trust any certificate")


def bench(given: dict[str, Any]) -> int:
    """Run the load and print what came of it; returns 1 when nothing answered.

    Args:
        given: What the command line said.

    Raises:
        ConfigurationError: Something of it cannot be used.
    """
    if not 1 <= given["connections"] <= _MOST_CONNECTIONS:
        raise ConfigurationError(f"--connections is a number from 1 to {_MOST_CONNECTIONS}")
    return asyncio.run(_bench(_request(given), given))


def _request(given: dict[str, Any]) -> HTTPRequest:
    headers = {}
    for field in given["header"]:
        name, colon, value = field.partition(":")
        if not colon:
            raise ConfigurationError(f"a header is NAME: VALUE, not {field!r}")
        headers[name.strip()] = value.strip()
    try:
        parse_url(given["url"])
        return HTTPRequest(
            given["url"],
            method=given["method"].upper(),
            headers=headers,
            body=given["body"],
            validate_cert=not given["insecure"],
            follow_redirects=False,
            allow_nonstandard_methods=True,
        )
    except ValueError as exc:
        raise ConfigurationError(str(exc)) from exc


async def _bench(request: HTTPRequest, given: dict[str, Any]) -> int:
    load = Load(request, given["connections"], given["duration"], http2=not given["http1"])
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, load.stop)
    took = await load.run(sys.stdout)
    _summary(load, took)
    return 0 if load.all.count else 1


def _summary(load: Load, took: float) -> None:
    every = load.all
    percentiles = ", ".join(
        f"p{percent} {every.percentile(percent) * 1e3:.2f}" for percent in (50, 90, 99, 99.9)
    )
    lines = [
        "",
        f"{every.count} answers in {took:.1f} s, {every.count / took:.0f} a second",
        f"milliseconds: {percentiles}, longest {every.longest * 1e3:.2f}",
        "statuses: "
        + (
            ", ".join(f"{code}: {count}" for code, count in sorted(load.statuses.items())) or "none"
        ),
    ]
    lines += [f"failed: {count} x {why}" for why, count in load.failures.most_common(5)]
    print("\n".join(lines))  # noqa: T201 - what was asked for
