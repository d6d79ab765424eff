"""Whom to trust over TLS, and what to show, from a request's options."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from eyewall.http.client.engine import ClientTLS

_BUNDLES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where systems keep the authorities that they trust, beside where OpenSSL looks."""


class TLSOptions(NamedTuple):
    """What of a request decides how TLS is spoken; equal options share connections."""

    verify: bool = True
    ca_certs: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    revoked: str | None = None
    context: ssl.SSLContext | None = None


PLAIN: Final = TLSOptions()


def context_of(options: Mapping[str, Any] | ssl.SSLContext) -> ssl.SSLContext:
    """The context that a dict of `ssl_options` describes.

    Raises:
        ValueError: The dict has unknown keys.
    """
    if isinstance(options, ssl.SSLContext):
        return options
    known = {"certfile", "keyfile", "cert_reqs", "ca_certs", "ciphers", "ssl_version"}
    unknown = set(options) - known
    if unknown:
        raise ValueError(f"ssl_options has unknown keys: {', '.join(sorted(map(str, unknown)))}")
    context = ssl.create_default_context(cafile=options.get("ca_certs"))
    demand = options.get("cert_reqs", ssl.CERT_REQUIRED)
    if demand != ssl.CERT_REQUIRED:
        context.check_hostname = False
    context.verify_mode = demand
    if options.get("certfile") is not None:
        context.load_cert_chain(options["certfile"], options.get("keyfile"))
    if options.get("ciphers") is not None:
        context.set_ciphers(options["ciphers"])
    return context


def system_authorities() -> bytes:
    """The authorities that this machine trusts, in PEM.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` in the environment stand before the system's.

    Raises:
        ValueError: There are none.
    """
    places = ssl.get_default_verify_paths()
    for name in (places.cafile, *_BUNDLES):
        if name is not None and Path(name).is_file():
            return Path(name).read_bytes()
    folder = Path(places.capath or "/etc/ssl/certs")
    found = b"\n".join(path.read_bytes() for path in sorted(folder.glob("*.pem")))
    if not found:
        raise ValueError(
            "this machine has no file of trusted authorities; install ca-certificates, set "
            "SSL_CERT_FILE, or give ca_certs"
        )
    return found


def engine_tls(options: TLSOptions, protocols: list[str]) -> ClientTLS:
    """The engine's part of these options.

    Raises:
        ValueError: A file holds nothing that can be used.
        OSError: A file cannot be read.
    """
    certificate = None
    if options.client_cert is not None:
        chain = Path(options.client_cert).read_bytes()
        key = chain if options.client_key is None else Path(options.client_key).read_bytes()
        certificate = (chain, key)
    authorities = b""
    if options.verify:
        named = options.ca_certs
        authorities = system_authorities() if named is None else Path(named).read_bytes()
    revoked = None if options.revoked is None else Path(options.revoked).read_bytes()
    return ClientTLS(
        authorities,
        revoked=revoked,
        verify=options.verify,
        certificate=certificate,
        alpn=protocols,
    )
