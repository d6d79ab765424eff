"""What the fault tests share: a server with workers, its control socket, and clients that ask all the time."""

import http.client
import json
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor


def ctl(folder, *args, check=True):
    """Ask the server whose control socket is `ctl` in the folder."""
    command = [sys.executable, "-m", "eyewall", "ctl", args[0]]
    done = subprocess.run(
        [*command, "--json", "--control", str(folder / "ctl"), *args[1:]],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if check:
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    return done


def get(url, timeout=20):
    with urllib.request.urlopen(url, timeout=timeout) as answer:
        return answer.read().decode()


def workers_of(folder, state="ready"):
    return [each for each in ctl(folder, "workers") if each["state"] == state]


def until(condition, what):
    """Wait for another process, which cannot tell us; within 20 s."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if found := condition():
            return found
        threading.Event().wait(0.02)
    raise AssertionError(what)


class Askers:
    """Clients that ask all the time; each keeps its connection as long as it may."""

    def __init__(self, url, count=8):
        self._address = url.removeprefix("http://").split(":")
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(count)
        self._asking = [self._pool.submit(self._ask) for _ in range(count)]

    def _ask(self):
        answers, failures = [], []
        connection = None
        while not self._over.is_set():
            fresh = connection is None
            try:
                connection = connection or http.client.HTTPConnection(*self._address, timeout=20)
                connection.request("GET", "/")
                response = connection.getresponse()
                answers.append((response.status, response.read().decode().split()[0]))
                if response.will_close:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as exc:
                # An idle connection may be closed at any time (RFC 9112, section 9.5), so a client
                # asks again on a new one; a new one must serve.
                if fresh:
                    failures.append(repr(exc))
                connection = None
        if connection is not None:
            connection.close()
        return answers, failures

    def stop(self):
        """End them; returns all answers, and all failures."""
        self._over.set()
        results = [each.result() for each in self._asking]
        self._pool.shutdown()
        return [a for answers, _ in results for a in answers], [
            f for _, failures in results for f in failures
        ]
