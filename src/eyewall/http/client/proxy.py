"""Ways through a proxy: HTTP CONNECT (RFC 9110, section 9.3.6) and SOCKS5 (RFC 1928, 1929)."""

import asyncio
import base64
import ipaddress
import socket
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment

from eyewall.http.client.errors import HTTPProxyError
from eyewall.http.client.url import Target

_LONGEST_ANSWER: Final = 16384
_PORTS: Final = {"http": 80, "socks5": 1080, "socks5h": 1080}
_REPLIES: Final = {
    1: "it failed",
    2: "its rules forbid it",
    3: "the network cannot be reached",
    4: "the host cannot be reached",
    5: "the host refuses the connection",
    6: "the host did not answer in time",
    7: "it does not know the command",
    8: "it does not know the kind of address",
}


class Proxy(NamedTuple):
    """A proxy: "http", "socks5" (names are looked up here) or "socks5h" (by the proxy)."""

    kind: str
    host: str
    port: int
    user: str | None = None
    password: str = ""

    @property
    def authorization(self) -> str | None:
        """The value of `Proxy-Authorization` (RFC 7617)."""
        if self.user is None:
            return None
        pair = f"{self.user}:{self.password}".encode()
        return "Basic " + base64.b64encode(pair).decode("ascii")


def parse_proxy(url: str) -> Proxy:
    """The proxy that a URL names.

    Raises:
        ValueError: The URL names none, or one of an unknown kind.
    """
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("a proxy's URL is http://, socks5:// or socks5h:// with a host and a port")
    port = parts.port or _PORTS[parts.scheme]
    user = None if parts.username is None else unquote(parts.username)
    return Proxy(parts.scheme, parts.hostname, port, user, unquote(parts.password or ""))


def no_proxy(url: Target) -> Proxy | None:
    """For clients that go straight."""
    del url
    return None


def one_proxy(address: str | None) -> Callable[[Target], Proxy | None]:
    """For clients that go through one proxy, or with None through none.

    Raises:
        ValueError: The address names no proxy.
    """
    if address is None:
        return no_proxy
    proxy = parse_proxy(address)
    return lambda url: proxy


def environment_proxies() -> Callable[[Target], Proxy | None]:
    """What `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` say, as they are now.

    Raises:
        ValueError: One of them names no proxy.
    """
    named = getproxies_environment()
    proxies = {name: parse_proxy(url) for name, url in named.items() if name != "no"}
    straight = [name.strip() for name in named.get("no", "").split(",") if name.strip()]

    def choose(url: Target) -> Proxy | None:
        proxy = proxies.get(url.scheme, proxies.get("all"))
        if proxy is None or any(_covers(name, url) for name in straight):
            return None
        return proxy

    return choose


def _covers(name: str, url: Target) -> bool:
    """Whether an entry of `NO_PROXY` is for this URL: "*", a domain, an address or a network."""
    if "/" in name:
        try:
            return ipaddress.ip_address(url.host) in ipaddress.ip_network(name, strict=False)
        except ValueError:
            return False
    domain, colon, port = name.rpartition(":")
    if colon and domain and port.isdigit() and ":" not in domain:
        name = domain
        if int(port) != url.port:
            return False
    name = name.lower().lstrip(".")
    return name in {"*", url.host} or url.host.endswith("." + name)


async def tunnel(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """Ask the proxy at the other end for a way to a host.

    Raises:
        HTTPProxyError: It gives none.
    """
    try:
        if proxy.kind == "http":
            await _connect(sock, proxy, host, port)
        else:
            await _socks(sock, proxy, host, port)
    except OSError as error:
        if isinstance(error, HTTPProxyError):
            raise
        raise HTTPProxyError(f"the connection to the proxy broke: {error}") from error


async def _connect(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {shown} HTTP/1.1", f"Host: {shown}"]
    if proxy.authorization is not None:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    await loop.sock_sendall(sock, "\r\n".join([*lines, "", ""]).encode("ascii"))
    answer = b""
    # What follows the head belongs to the host, so it must not be read from the socket here.
    while not answer.endswith(b"\r\n\r\n"):
        if len(answer) >= _LONGEST_ANSWER:
            raise HTTPProxyError("the proxy's answer has no end")
        answer += await _some(sock, _missing(answer))
    words = answer.split(b"\r\n", 1)[0].split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise HTTPProxyError("the proxy's answer is not HTTP")
    if not 200 <= int(words[1]) < 300:
        raise HTTPProxyError(f"the proxy refuses the way to {shown}: it answers {int(words[1])}")


def _missing(answer: bytes) -> int:
    """How many bytes an end of the head still takes at least."""
    for length in (3, 2, 1):
        if answer.endswith(b"\r\n\r\n"[:length]):
            return 4 - length
    return 4


async def _socks(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    loop = asyncio.get_running_loop()
    methods = b"\x00" if proxy.user is None else b"\x00\x02"
    await loop.sock_sendall(sock, bytes([5, len(methods)]) + methods)
    version, method = await _exactly(sock, 2)
    if version != 5 or method not in methods:
        raise HTTPProxyError("the proxy takes no way of authentication that can be offered")
    if method == 2:
        await _log_in(sock, proxy)
    await loop.sock_sendall(sock, b"\x05\x01\x00" + _address(host) + port.to_bytes(2, "big"))
    version, reply, _, kind = await _exactly(sock, 4)
    if version != 5:
        raise HTTPProxyError("the proxy's answer is not SOCKS5")
    if reply != 0:
        why = _REPLIES.get(reply, f"it answers {reply}")
        raise HTTPProxyError(f"the proxy gives no way to {host}: {why}")
    length = {1: 4, 4: 16}.get(kind)
    if length is None:
        length = (await _exactly(sock, 1))[0]
    await _exactly(sock, length + 2)


async def _log_in(sock: socket.socket, proxy: Proxy) -> None:
    user, password = (proxy.user or "").encode(), proxy.password.encode()
    if not 0 < len(user) < 256 or len(password) > 255:
        raise HTTPProxyError("a name or password for SOCKS5 has at most 255 bytes")
    data = bytes([1, len(user)]) + user + bytes([len(password)]) + password
    await asyncio.get_running_loop().sock_sendall(sock, data)
    _, status = await _exactly(sock, 2)
    if status != 0:
        raise HTTPProxyError("the proxy refuses the name or the password")


def _address(host: str) -> bytes:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("ascii")
        if len(name) > 255:
            raise HTTPProxyError("a host's name for SOCKS5 has at most 255 bytes") from None
        return bytes([3, len(name)]) + name
    return (b"\x01" if address.version == 4 else b"\x04") + address.packed


async def _some(sock: socket.socket, most: int) -> bytes:
    data = await asyncio.get_running_loop().sock_recv(sock, most)
    if not data:
        raise HTTPProxyError("the proxy closed the connection")
    return data


async def _exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += await _some(sock, count - len(data))
    return data
