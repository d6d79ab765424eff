"""The load: wrk on 64 kept connections, and ab with a connection for each request; what failed."""

import re
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

WRK_CONNECTIONS = 64
AB_CONNECTIONS = 8
_PATIENCE_S = 20


@dataclass
class Outcome:
    """What became of requests.

    Attributes:
        answered: How many were answered 200 in full.
        failed: How many were not.
        details: The tools' own words for the failures.
    """

    answered: int = 0
    failed: int = 0
    details: list[str] = field(default_factory=list)

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(
            self.answered + other.answered,
            self.failed + other.failed,
            self.details + other.details,
        )


class Load:
    """Both tools at once, from `start` to `stop`."""

    def __init__(self, url: str, pace_ab: int = AB_CONNECTIONS) -> None:
        wrk = ["wrk", "-t1", f"-c{WRK_CONNECTIONS}", "-d3600", f"--timeout={_PATIENCE_S}", url]
        ab = ["ab", "-q", "-r", f"-s{_PATIENCE_S}", f"-c{pace_ab}", "-t3600", "-n50000000", url]
        self._began = time.monotonic()
        # Files, not pipes: what a tool says must never hold it up.
        self._files = [tempfile.TemporaryFile("w+") for _ in range(2)]  # noqa: SIM115 - closed in stop
        self._tools = [
            subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
            for command, file in zip((wrk, ab), self._files, strict=True)
        ]

    def stop(self) -> Outcome:
        """End both, and add up.

        Raises:
            RuntimeError: One of them ended early, or said what cannot be understood.
        """
        early = [tool.poll() for tool in self._tools]
        said = []
        for tool, file in zip(self._tools, self._files, strict=True):
            if tool.poll() is None:
                tool.send_signal(signal.SIGINT)
            try:
                tool.wait(timeout=2 * _PATIENCE_S)
            except subprocess.TimeoutExpired:
                tool.kill()
                tool.wait()
            file.seek(0)
            said.append(file.read())
            file.close()
        if any(code is not None for code in early):
            raise RuntimeError(f"a load generator ended early: {said}")
        return wrk_outcome(said[0]) + ab_outcome(said[1])


def wrk_outcome(text: str) -> Outcome:
    """What wrk's report says.

    Raises:
        RuntimeError: It is no report of wrk.
    """
    total = re.search(r"(\d+) requests in", text)
    if total is None:
        raise RuntimeError(f"wrk said: {text.strip()[-300:]}")
    errors = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text
    )
    other = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    bad_status = int(other[1]) if other else 0
    broken = sum(map(int, errors.groups())) if errors else 0
    details = [f"wrk: {line[0]}" for line in (errors, other) if line]
    return Outcome(int(total[1]) - bad_status, broken + bad_status, details)


def ab_outcome(text: str) -> Outcome:
    """What ab's report says.

    Raises:
        RuntimeError: It is no report of ab.
    """
    found = {
        name.strip(): int(value)
        for name, value in re.findall(r"^([A-Z][A-Za-z0-9- ]+):\s+(\d+)$", text, re.MULTILINE)
    }
    if "Complete requests" not in found:
        raise RuntimeError(f"ab said: {text.strip()[-300:]}")
    kinds = re.search(r"\(Connect: .*\)", text)
    # A request that was cut off is counted under several of these.
    broken = max(map(int, re.findall(r"\d+", kinds[0]))) if kinds else found["Failed requests"]
    failed = broken + found.get("Non-2xx responses", 0)
    details = [f"ab: {failed} failed {kinds[0] if kinds else ''}"] if failed else []
    return Outcome(max(0, found["Complete requests"] - failed), failed, details)
