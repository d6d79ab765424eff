"""TLS options: files into the engine's configuration."""

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eyewall.base.errors import StartupError
from eyewall.http.server.engine import TLSConfig


def load_tls(
    pairs: Sequence[tuple[str, str]],
    *,
    ca_certs: str | None = None,
    client_required: bool = True,
    alpn: Sequence[str] = ("h2", "http/1.1"),
) -> TLSConfig:
    """Read certificates and keys.

    Args:
        pairs: Files of certificate chain and private key; the first pair is the default, the
            others are chosen by the name that the client asks for.
        ca_certs: File of the authorities that client certificates are checked against.
        client_required: Whether a client without a certificate is refused.
        alpn: Protocols offered, in order of preference.

    Raises:
        StartupError: A file cannot be read or used; the message names it.
    """
    certificates = [(_read(chain), _read(key)) for chain, key in pairs]
    client_ca = None if ca_certs is None else _read(ca_certs)
    try:
        return TLSConfig(
            certificates,
            client_ca=client_ca,
            client_auth="required" if client_required else "optional",
            alpn=alpn,
        )
    except ValueError as exc:
        names = ", ".join(file for pair in pairs for file in pair)
        raise StartupError(f"TLS: {exc} ({names})") from exc


def from_ssl_options(options: Mapping[str, Any], alpn: Sequence[str]) -> TLSConfig:
    """The configuration that Tornado's `ssl_options` dictionary describes.

    Raises:
        StartupError: As `load_tls`; also when there is no certificate file.
    """
    certfile = options.get("certfile")
    if not certfile:
        raise StartupError('ssl_options needs a "certfile"')
    required = options.get("cert_reqs", ssl.CERT_NONE)
    return load_tls(
        [(certfile, options.get("keyfile") or certfile)],
        ca_certs=options.get("ca_certs") if required != ssl.CERT_NONE else None,
        client_required=required == ssl.CERT_REQUIRED,
        alpn=alpn,
    )


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as exc:
        raise StartupError(f"TLS: cannot read {file}: {exc.strerror}") from exc
