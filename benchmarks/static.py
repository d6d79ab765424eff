"""Static files of 1 KiB and 1 MiB: `static.py`, beside Tornado and nginx with one worker.

Each server runs alone on a core, wrk on the other; they take turns, and medians are compared.
Those that are not installed are left out. `static.py SECONDS ROUNDS` changes how long it takes.
"""

import asyncio
import contextlib
import importlib.util
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness import check, take_load_core
from measure import Sample, measure
from prepare import only_run
from servers import Server
from workloads import Workload

SMALL = bytes(range(256)) * 4
LARGE = SMALL * 1024
_NGINX = """
pid {root}/nginx.pid;
error_log stderr crit;
daemon off;
master_process off;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=100;
    client_body_temp_path {root}/nginx-body;
    proxy_temp_path {root}/nginx-proxy;
    fastcgi_temp_path {root}/nginx-fastcgi;
    uwsgi_temp_path {root}/nginx-uwsgi;
    scgi_temp_path {root}/nginx-scgi;
    server {{
        listen 127.0.0.1:PORT;
        location /static/ {{ alias {root}/files/; etag on; }}
    }}
}}
"""


def serve_eyewall(root: str, port: int) -> None:
    """Serve the folder with Eyewall."""
    from eyewall import Application

    async def main() -> None:
        Application(static_path=root, access_log=False).listen(port, "127.0.0.1")
        await asyncio.Event().wait()

    asyncio.run(main())


def serve_tornado(root: str, port: int) -> None:
    """Serve the folder with Tornado."""
    from tornado.web import Application

    async def main() -> None:
        app = Application(static_path=root, log_function=lambda handler: None)
        app.listen(port, "127.0.0.1")
        await asyncio.Event().wait()

    asyncio.run(main())


@contextlib.contextmanager
def servers() -> Iterator[list[Server]]:
    """What can serve the files, which are there while the block runs."""
    with tempfile.TemporaryDirectory() as root:
        files = Path(root, "files")
        files.mkdir()
        (files / "small.bin").write_bytes(SMALL)
        (files / "large.bin").write_bytes(LARGE)
        own = (sys.executable, str(Path(__file__).resolve()))
        found = [Server("Eyewall", (*own, "eyewall", str(files)))]
        if importlib.util.find_spec("tornado"):
            found.append(Server("Tornado", (*own, "tornado", str(files))))
        if nginx := shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin"):
            template = Path(root, "nginx.conf")
            template.write_text(_NGINX.format(root=root))
            start = (
                f'sed "s/PORT/$1/" {template} > {root}/$1 && exec {nginx} -p {root} -c {root}/$1'
            )
            found.append(Server("nginx", ("sh", "-c", start, "sh")))
        yield found


def compare(workload: Workload, found: list[Server], seconds: int, rounds: int) -> None:
    """Print a table of one workload."""
    samples: dict[str, list[Sample]] = {server.name: [] for server in found}
    for server in found:
        check(server, workload)
    for _ in range(rounds):
        for server in found:
            samples[server.name].append(measure(server, workload, seconds))
    print(f"\n{workload.title}\n")
    print("| server | requests/s | CPU µs/request | core used | requests/s to Eyewall |")
    print("| --- | --- | --- | --- | --- |")
    own = statistics.median(sample.load.rate for sample in samples["Eyewall"])
    for name, taken in samples.items():
        rate = statistics.median(sample.load.rate for sample in taken)
        cpu = statistics.median(sample.cpu_us for sample in taken)
        busy = statistics.median(sample.busy for sample in taken)
        print(f"| {name} | {rate:,.0f} | {cpu:.1f} | {busy:.0%} | {rate / own:.2f} |")


def main(seconds: int = 4, rounds: int = 5) -> int:
    """Measure both sizes."""
    small = Workload(
        "small", "1 KiB, 64 connections", "wrk", ("-c64",), "/static/small.bin", "", SMALL
    )
    large = Workload(
        "large", "1 MiB, 16 connections", "wrk", ("-c16",), "/static/large.bin", "", LARGE
    )
    with only_run(), servers() as found:
        take_load_core()
        compare(small, found, seconds, rounds)
        compare(large, [each for each in found if each.name != "Tornado"], seconds, rounds)
    return 0


if __name__ == "__main__":
    if len(sys.argv) == 4:
        serve = serve_eyewall if sys.argv[1] == "eyewall" else serve_tornado
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        sys.exit(main(*map(int, sys.argv[1:])))
