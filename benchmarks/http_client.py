"""HTTP clients beside each other: small answers over keep-alive, and one large download.

    python benchmarks/http_client.py [--seconds 2] [--rounds 5] [--mebibytes 1024] [NAME ...]

One nginx answers all of them. Each client runs in a process of its own, in turns: 64 tasks that
fetch one after the other for some seconds. The figure is the median of the rounds; CPU time is
the client's process, all threads. A client that is not installed is left out.
"""

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONCURRENCY = 64
NGINX = """
daemon off; master_process off; pid {root}/pid; error_log {root}/error;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_requests 100000000; sendfile on;
  client_body_temp_path {root}/a; proxy_temp_path {root}/b; fastcgi_temp_path {root}/c;
  uwsgi_temp_path {root}/d; scgi_temp_path {root}/e;
  server {{
    listen 127.0.0.1:{port};
    location = /small {{ default_type text/plain; return 200 "Hello, world"; }}
    location / {{ root {root}/files; }}
  }}
}}
"""


@contextlib.contextmanager
def nginx(mebibytes):
    """A running nginx with a file of that size; yields its port."""
    root = tempfile.mkdtemp()
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    Path(root, "files").mkdir()
    with Path(root, "files", "large").open("wb") as file:
        file.truncate(mebibytes << 20)
    Path(root, "conf").write_text(NGINX.format(root=root, port=port))
    Path(root).chmod(0o755)
    server = subprocess.Popen(["nginx", "-p", root, "-c", f"{root}/conf"])
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
        yield port
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(root)


async def eyewall():
    from eyewall.http.client import AsyncHTTPClient

    client = AsyncHTTPClient(force_instance=True, max_clients=CONCURRENCY)

    async def fetch(url):
        return (await client.fetch(url)).body

    return fetch


async def tornado():
    from tornado.httpclient import AsyncHTTPClient

    client = AsyncHTTPClient(force_instance=True, max_clients=CONCURRENCY)

    async def fetch(url):
        return (await client.fetch(url)).body

    return fetch


async def tornado_curl():
    from tornado.curl_httpclient import CurlAsyncHTTPClient

    client = CurlAsyncHTTPClient(force_instance=True, max_clients=CONCURRENCY)

    async def fetch(url):
        return (await client.fetch(url)).body

    return fetch


async def aiohttp():
    from aiohttp import ClientSession, TCPConnector

    session = ClientSession(connector=TCPConnector(limit=CONCURRENCY))

    async def fetch(url):
        async with session.get(url) as response:
            return await response.read()

    return fetch


async def httpx():
    from httpx import AsyncClient, Limits

    client = AsyncClient(limits=Limits(max_keepalive_connections=CONCURRENCY))

    async def fetch(url):
        return (await client.get(url)).content

    return fetch


async def pyreqwest():
    from pyreqwest.client import ClientBuilder

    client = await ClientBuilder().build().__aenter__()

    async def fetch(url):
        response = await client.get(url).build().send()
        return (await response.bytes()).to_bytes()

    return fetch


async def rnet():
    from rnet import Client

    client = Client()

    async def fetch(url):
        return await (await client.get(url)).bytes()

    return fetch


async def primp():
    from primp import AsyncClient

    client = AsyncClient()

    async def fetch(url):
        response = await client.get(url)
        content = response.content
        return await content if hasattr(content, "__await__") else content

    return fetch


CLIENTS = {
    "Eyewall": (eyewall, "eyewall"),
    "Tornado, simple": (tornado, "tornado"),
    "Tornado, pycurl": (tornado_curl, "pycurl"),
    "aiohttp": (aiohttp, "aiohttp"),
    "httpx": (httpx, "httpx"),
    "pyreqwest (Rust)": (pyreqwest, "pyreqwest"),
    "rnet (Rust)": (rnet, "rnet"),
    "primp (Rust)": (primp, "primp"),
}


async def small(name, url, seconds):
    """Fetch for some seconds; returns fetches a second and CPU microseconds of each."""
    fetch = await CLIENTS[name][0]()
    body = bytes(await fetch(url))
    assert body == b"Hello, world", body

    async def work(until):
        count = 0
        while time.perf_counter() < until:
            await fetch(url)
            count += 1
        return count

    async def burst(duration):
        until = time.perf_counter() + duration
        return sum(await asyncio.gather(*(work(until) for _ in range(CONCURRENCY))))

    await burst(0.5)
    begun, cpu = time.perf_counter(), time.process_time()
    count = await burst(seconds)
    spent, cpu = time.perf_counter() - begun, time.process_time() - cpu
    return {"rate": count / spent, "cpu": cpu / count * 1e6}


async def large(url, mebibytes):
    """Download with a callback; returns MiB a second, CPU seconds and the peak in MiB."""
    from eyewall.http.client import AsyncHTTPClient

    client = AsyncHTTPClient(force_instance=True, max_body_size=1 << 40)
    total = 0

    def take(piece):
        nonlocal total
        total += len(piece)

    begun, cpu = time.perf_counter(), time.process_time()
    await client.fetch(url, streaming_callback=take, request_timeout=0)
    spent, cpu = time.perf_counter() - begun, time.process_time() - cpu
    assert total == mebibytes << 20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"rate": mebibytes / spent, "cpu": cpu, "peak": peak}


def curl(url, mebibytes):
    """The same by curl."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    subprocess.run(["curl", "-s", "-o", "/dev/null", url], check=True)
    spent = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"rate": mebibytes / spent, "cpu": cpu, "peak": after.ru_maxrss / 1024}


def in_a_process(*arguments):
    """Run this script for one client; returns what it prints."""
    command = [sys.executable, __file__, "--one", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # One of the peers crashes now and then when the interpreter ends, with its figures told.
    if done.returncode and not done.stdout:
        raise SystemExit(f"{arguments}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


def median(samples, key):
    """The middle of one figure."""
    return statistics.median(sample[key] for sample in samples)


def main():
    if sys.argv[1:2] == ["--one"]:
        kind, *rest = sys.argv[2:]
        if kind == "small":
            print(json.dumps(asyncio.run(small(rest[0], rest[1], float(rest[2])))))
        else:
            print(json.dumps(asyncio.run(large(rest[0], int(rest[1])))))
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mebibytes", type=int, default=1024)
    options = parser.parse_args()
    names = [
        name
        for name, (_, module) in CLIENTS.items()
        if importlib.util.find_spec(module) and (not options.names or name in options.names)
    ]
    with nginx(options.mebibytes) as port:
        base = f"http://127.0.0.1:{port}"
        results = {name: [] for name in names}
        for _ in range(options.rounds):
            for name in names:
                results[name].append(in_a_process("small", name, base + "/small", options.seconds))
        ours = median(results["Eyewall"], "rate") if "Eyewall" in results else 0
        print(f"{CONCURRENCY} tasks, 12 bytes over keep-alive, {os.cpu_count()} cores\n")
        print("| client | fetches/s | Eyewall's is | CPU µs a fetch |\n| --- | --- | --- | --- |")
        for name, samples in results.items():
            rate = median(samples, "rate")
            print(f"| {name} | {rate:,.0f} | {ours / rate:.1f}x | {median(samples, 'cpu'):.1f} |")
        # The first reader pays for the file cache.
        curl(base + "/large", options.mebibytes)
        pairs = [
            (
                in_a_process("large", base + "/large", options.mebibytes),
                curl(base + "/large", options.mebibytes),
            )
            for _ in range(options.rounds)
        ]
        print(f"\nDownload of {options.mebibytes} MiB\n")
        print("| client | MiB/s | CPU s | peak MiB |\n| --- | --- | --- | --- |")
        for name, samples in zip(("Eyewall", "curl"), zip(*pairs, strict=True), strict=True):
            figures = [median(samples, key) for key in ("rate", "cpu", "peak")]
            print(f"| {name} | {figures[0]:,.0f} | {figures[1]:.2f} | {figures[2]:.0f} |")


if __name__ == "__main__":
    main()
