"""TLS contexts out of the dictionaries that programs call `ssl_options`."""

import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final

_KEYS: Final = frozenset(
    {"ssl_version", "certfile", "keyfile", "password", "cert_reqs", "ca_certs", "ciphers"}
)


def ssl_options_to_context(
    ssl_options: Mapping[str, Any] | ssl.SSLContext, server_side: bool | None = None
) -> ssl.SSLContext:
    """The context that a dictionary describes; a context is returned as it is.

    Args:
        ssl_options: Any of `certfile`, `keyfile`, `password`, `ca_certs` (file of authorities),
            `cert_reqs` (`ssl.CERT_NONE`, ...), `ciphers` and `ssl_version`. A client that says
            nothing of `cert_reqs` checks the server's certificate and name; a server that says
            nothing asks for none.
        server_side: Whether it is for a server; None means a client's.

    Raises:
        ValueError: A key is unknown.
        OSError: A file cannot be read or used (`ssl.SSLError` is one of these).
    """
    if isinstance(ssl_options, ssl.SSLContext):
        return ssl_options
    unknown = set(ssl_options) - _KEYS
    if unknown:
        known = ", ".join(sorted(_KEYS))
        raise ValueError(f"unknown ssl_options: {', '.join(sorted(unknown))}; known are {known}")
    protocol = ssl.PROTOCOL_TLS_SERVER if server_side else ssl.PROTOCOL_TLS_CLIENT
    context = ssl.SSLContext(ssl_options.get("ssl_version", protocol))
    if "certfile" in ssl_options:
        context.load_cert_chain(
            ssl_options["certfile"], ssl_options.get("keyfile"), ssl_options.get("password")
        )
    if "cert_reqs" in ssl_options:
        # Checking the name without the certificate is refused by the context.
        if ssl_options["cert_reqs"] == ssl.CERT_NONE:
            context.check_hostname = False
        context.verify_mode = ssl_options["cert_reqs"]
    if "ca_certs" in ssl_options:
        context.load_verify_locations(ssl_options["ca_certs"])
    elif context.verify_mode != ssl.CERT_NONE:
        context.load_default_certs(
            ssl.Purpose.CLIENT_AUTH if server_side else ssl.Purpose.SERVER_AUTH
        )
    if "ciphers" in ssl_options:
        context.set_ciphers(ssl_options["ciphers"])
    return context


def server_context(ssl_options: Mapping[str, Any] | ssl.SSLContext) -> ssl.SSLContext:
    """The context of a server.

    Raises:
        ValueError: A dictionary without `certfile`, or with an unknown key.
        OSError: A file cannot be read or used.
    """
    if isinstance(ssl_options, ssl.SSLContext):
        return ssl_options
    if not ssl_options.get("certfile"):
        raise ValueError('a server\'s ssl_options need a "certfile"')
    return ssl_options_to_context(ssl_options, True)


def ssl_wrap_socket(
    sock: socket.socket,
    ssl_options: Mapping[str, Any] | ssl.SSLContext,
    server_hostname: str | None = None,
    server_side: bool | None = None,
    **kwargs: Any,
) -> ssl.SSLSocket:
    """Wrap a socket with what `ssl_options` says.

    Args:
        sock: The socket, which the result takes over.
        ssl_options: As for `ssl_options_to_context`.
        server_hostname: The name that the certificate is to have.
        server_side: Whether this side is the server; None means a client.
        kwargs: More for `ssl.SSLContext.wrap_socket`.
    """
    context = ssl_options_to_context(ssl_options, server_side)
    return context.wrap_socket(
        sock, server_side=bool(server_side), server_hostname=server_hostname, **kwargs
    )


class TLSSocket:
    """A socket under TLS, as programs look at it: the socket's own names, and TLS's.

    Before the handshake `cipher`, `version` and `getpeercert` give None.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.ssl_object: Any = None

    def cipher(self) -> tuple[str, str, int] | None:
        """Name, protocol and bits of the cipher in use."""
        found: tuple[str, str, int] | None = self._ask("cipher")
        return found

    def version(self) -> str | None:
        """The protocol in use, such as "TLSv1.3"."""
        found: str | None = self._ask("version")
        return found

    def getpeercert(self, binary_form: bool = False) -> Any:
        """The peer's certificate, as `ssl.SSLSocket.getpeercert` gives it."""
        return self._ask("getpeercert", binary_form)

    def selected_alpn_protocol(self) -> str | None:
        """The protocol that both sides agreed on (RFC 7301)."""
        found: str | None = self._ask("selected_alpn_protocol")
        return found

    def _ask(self, name: str, *args: Any) -> Any:
        return None if self.ssl_object is None else getattr(self.ssl_object, name)(*args)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)
