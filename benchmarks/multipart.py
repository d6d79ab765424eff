"""A 64 MiB upload parsed as it arrives: `multipart.py`, beside Tornado's parser where it is there.

Eyewall's parser gets pieces of 64 KiB, as a server gives them, and hands the content on; Tornado's
gets the whole body at once, which is what it takes.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable

from eyewall.http.multipart import MultipartParser, parse_multipart

SIZE = 64 * 1024 * 1024
PIECE = 64 * 1024
CONTENT = os.urandom(SIZE)
BODY = (
    b'--boundary\r\nContent-Disposition: form-data; name="f"; filename="f.bin"\r\n\r\n'
    + CONTENT
    + b"\r\n--boundary--\r\n"
)


def streamed() -> None:
    """Parse piece by piece."""
    parser = MultipartParser("boundary")
    for at in range(0, len(BODY), PIECE):
        parser.feed(BODY[at : at + PIECE])
    parser.finish()


def whole() -> None:
    """Parse the body at once."""
    parse_multipart(BODY, "boundary")


def engines() -> dict[str, Callable[[], None]]:
    """What can parse the body."""
    found: dict[str, Callable[[], None]] = {"Eyewall, streamed": streamed, "Eyewall, whole": whole}
    try:
        from tornado.httputil import parse_multipart_form_data

        found["Tornado, whole"] = lambda: parse_multipart_form_data(b"boundary", BODY, {}, {})
    except ImportError:
        pass
    return found


def main(rounds: int = 7) -> int:
    """Print a table."""
    found = engines()
    times: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds):
        for name, parse in found.items():
            began = time.perf_counter()
            parse()
            times[name].append(time.perf_counter() - began)
    print("| parser | MiB/s |\n| --- | ---: |")
    for name, taken in times.items():
        print(f"| {name} | {SIZE / (1 << 20) / statistics.median(taken):,.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
