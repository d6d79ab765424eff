"""The client against servers of other makers: nginx, Node and Go."""

import asyncio
import contextlib
import gzip
import hashlib
import subprocess

import pytest

from eyewall.http.client import HTTPClientError, Session
from tests.support import require
from tests.unit.http.client.servers import run

NODE = """
const http = require('http');
const server = http.createServer((request, response) => {
  if (request.url === '/echo') {
    response.writeHead(200, {'X-Method': request.method, Trailer: 'X-End'});
    request.on('data', piece => response.write(piece));
    request.on('end', () => { response.addTrailers({'X-End': 'yes'}); response.end(); });
  } else if (request.url === '/events') {
    response.writeHead(200, {'Content-Type': 'text/event-stream'});
    for (let n = 0; n < 100; n++) response.write(`id: ${n}\\ndata: ${'x'.repeat(n)}\\n\\n`);
    response.end();
  } else if (request.url === '/cut') {
    response.writeHead(200, {'Content-Length': 100});
    response.write('some');
    setImmediate(() => request.socket.destroy());
  } else if (request.url === '/hints') {
    response.writeEarlyHints({link: '</a.css>; rel=preload'});
    response.end('done');
  } else {
    response.writeHead(302, {Location: '/echo'});
    response.end();
  }
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
"""

GO = """
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
)

func main() {
	http.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Method", r.Method)
		w.Header().Set("Trailer", "X-End")
		http.NewResponseController(w).EnableFullDuplex()
		io.Copy(w, r.Body)
		w.Header().Set("X-End", "yes")
	})
	http.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		for n := 0; n < 100; n++ {
			fmt.Fprintf(w, "id: %d\\ndata: ", n)
			for m := 0; m < n; m++ {
				io.WriteString(w, "x")
			}
			io.WriteString(w, "\\n\\n")
			w.(http.Flusher).Flush()
		}
	})
	http.HandleFunc("/cut", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "some")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	http.HandleFunc("/hints", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, "done")
	})
	http.Handle("/", http.RedirectHandler("/echo", http.StatusFound))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	http.Serve(listener, nil)
}
"""

NGINX = """
daemon off; master_process off; pid {root}/pid; error_log {root}/error.log;
events {{}}
http {{
  access_log off; gzip on; gzip_types *; gzip_min_length 1;
  client_body_temp_path {root}/a; proxy_temp_path {root}/b; fastcgi_temp_path {root}/c;
  uwsgi_temp_path {root}/d; scgi_temp_path {root}/e;
  server {{
    listen unix:{root}/socket; root {root}/files;
    location /limited {{ client_max_body_size 1k; proxy_pass http://127.0.0.1:9; }}
    location /moved {{ return 301 /large; }}
  }}
}}
"""


@contextlib.contextmanager
def program(command):
    """A server that prints its port; yields its URL."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module", params=["node", "go"])
def server(request, tmp_path_factory):
    tool = require(request.param)
    folder = tmp_path_factory.mktemp("server")
    if request.param == "node":
        (folder / "server.js").write_text(NODE)
        command = [tool, str(folder / "server.js")]
    else:
        (folder / "main.go").write_text(GO)
        built = [tool, "build", "-o", str(folder / "server"), str(folder / "main.go")]
        subprocess.run(built, check=True)
        command = [str(folder / "server")]
    with program(command) as url:
        yield url


def test_contents_go_there_and_back(server):
    async def main():
        async def pieces():
            for _ in range(30):
                yield b"y" * 100_000

        async with Session(server) as session:
            for size in (0, 1, 5_000_000):
                body = b"x" * size
                response = await session.put("/echo", content=body)
                assert response.body == body
                assert response.headers["X-Method"] == "PUT"
            async with session.stream("POST", "/echo", content=pieces()) as streamed:
                assert await streamed.read() == b"y" * 3_000_000
                assert ("X-End", "yes") in streamed.trailers

    run(main())


def test_redirects_hints_and_broken_responses(server):
    async def main():
        async with Session(server) as session:
            assert (await session.get("/")).effective_url == f"{server}/echo"
            assert (await session.get("/hints")).body == b"done"
            with pytest.raises(HTTPClientError):
                await session.get("/cut")
            bodies = await asyncio.gather(*(session.get("/hints") for _ in range(200)))
            assert {response.body for response in bodies} == {b"done"}

    run(main())


def test_events_arrive_in_their_order(server):
    async def main():
        async with Session(server) as session, session.stream("GET", "/events") as response:
            events = [event async for event in response.events()]
        assert [(event.id, len(event.data)) for event in events] == [
            (str(n), n) for n in range(100)
        ]

    run(main())


def test_files_of_nginx_over_a_unix_socket(tmp_path):
    nginx = require("nginx")
    (tmp_path / "files").mkdir()
    large = bytes(range(256)) * 20_000
    (tmp_path / "files" / "large").write_bytes(large)
    (tmp_path / "files" / "packed").write_bytes(gzip.compress(b"packed"))
    (tmp_path / "conf").write_text(NGINX.format(root=tmp_path))
    process = subprocess.Popen([nginx, "-p", str(tmp_path), "-c", str(tmp_path / "conf")])

    async def main():
        path = str(tmp_path / "socket")
        async with Session("http://nginx", unix_socket=path) as session:
            while True:
                try:
                    response = await session.get("/moved")
                    break
                except HTTPClientError:
                    await asyncio.sleep(0)
            assert response.effective_url == "http://nginx/large"
            assert hashlib.sha256(response.body).digest() == hashlib.sha256(large).digest()
            assert (await session.head("/large")).body == b""
            part = await session.get("/large", headers={"Range": "bytes=256-511"})
            assert (part.code, part.body) == (206, large[:256])
            assert (await session.post("/limited", content=b"x" * 50_000)).code == 413
            async with session.stream("GET", "/large") as streamed:
                assert await streamed.read() == large
            modified = response.headers["Last-Modified"]
            same = await session.get("/large", headers={"If-Modified-Since": modified})
            assert (same.code, same.body) == (304, b"")

    try:
        run(main())
    finally:
        process.terminate()
        process.wait()
