"""A request's options, as libcurl takes them."""

from typing import Any, Final

from eyewall.http.client.errors import (
    HTTPCertificateError,
    HTTPClientError,
    HTTPConnectError,
    HTTPDecodeError,
    HTTPNameError,
    HTTPProtocolError,
    HTTPProxyError,
    HTTPStreamClosedError,
    HTTPTimeoutError,
    HTTPTLSError,
)
from eyewall.http.client.prepare import Prepared, credentials, proxy_of
from eyewall.http.client.request import HTTPRequest
from eyewall.http.client.url import parse_url

_ERRORS: Final[dict[int, type[HTTPClientError]]] = {
    5: HTTPProxyError,
    6: HTTPNameError,
    7: HTTPConnectError,
    8: HTTPProtocolError,
    28: HTTPTimeoutError,
    35: HTTPTLSError,
    45: HTTPConnectError,
    51: HTTPCertificateError,
    60: HTTPCertificateError,
    61: HTTPDecodeError,
    77: HTTPTLSError,
    83: HTTPCertificateError,
    97: HTTPProxyError,
}
"""Types by libcurl's numbers; all others say that the connection broke."""


def error_of(number: int, text: str) -> HTTPClientError:
    """What an error of libcurl is to who asked."""
    kind = _ERRORS.get(number, HTTPStreamClosedError)
    return kind(f"{text or 'libcurl gave up'} (libcurl {number})")  # type: ignore[arg-type] # they take a text


def set_options(
    pycurl: Any, curl: Any, request: HTTPRequest, prepared: Prepared, defaults: dict[str, Any]
) -> None:
    """Prepare a handle for a request, but for where the response goes.

    Raises:
        ValueError: An option cannot be used.
    """
    url = parse_url(request.url)
    curl.reset()
    # libcurl reads user and password out of the URL by itself.
    curl.setopt(pycurl.URL, url.absolute)
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.FOLLOWLOCATION, 0)
    curl.setopt(pycurl.NETRC, pycurl.NETRC_IGNORED)
    fields = [f"{name}: {value}" if value else f"{name};" for name, value in prepared.fields]
    if prepared.authority != url.authority:
        fields.append(f"Host: {prepared.authority}")
    if not request.expect_100_continue:
        fields.append("Expect:")
    curl.setopt(pycurl.HTTPHEADER, [field.encode("latin-1") for field in fields])
    if request.option("decompress_response", defaults):
        # Accept-Encoding is among the fields already; "" would add another.
        curl.setopt(pycurl.HTTP_CONTENT_DECODING, 1)
        curl.setopt(pycurl.ENCODING, dict(prepared.fields).get("Accept-Encoding", "identity"))
    else:
        curl.setopt(pycurl.HTTP_CONTENT_DECODING, 0)
    _method(pycurl, curl, request)
    _ways(pycurl, curl, request, defaults)
    _trust(pycurl, curl, request, defaults)


def _method(pycurl: Any, curl: Any, request: HTTPRequest) -> None:
    if request.method == "HEAD":
        curl.setopt(pycurl.NOBODY, 1)
        return
    if request.body is not None:
        curl.setopt(pycurl.POST, 1)
        curl.setopt(pycurl.POSTFIELDSIZE, len(request.body))
        curl.setopt(pycurl.COPYPOSTFIELDS, request.body)
    curl.setopt(pycurl.CUSTOMREQUEST, request.method)


def _ways(pycurl: Any, curl: Any, request: HTTPRequest, defaults: dict[str, Any]) -> None:
    connect = request.option("connect_timeout", defaults)
    # Zero would mean libcurl's own five minutes.
    curl.setopt(pycurl.CONNECTTIMEOUT_MS, int(connect * 1000) if connect else 86_400_000)
    source = request.option("network_interface", defaults)
    if source is not None:
        curl.setopt(pycurl.INTERFACE, source)
    if not request.option("allow_ipv6", defaults):
        curl.setopt(pycurl.IPRESOLVE, pycurl.IPRESOLVE_V4)
    url = parse_url(request.url)
    known = credentials(request, url, defaults)
    if known is not None and request.option("auth_mode", defaults) == "digest":
        curl.setopt(pycurl.HTTPAUTH, pycurl.HTTPAUTH_DIGEST)
        curl.setopt(pycurl.USERNAME, known[0].encode())
        curl.setopt(pycurl.PASSWORD, known[1].encode())
    proxy = proxy_of(request, url, defaults)
    curl.setopt(pycurl.PROXY, "" if proxy is None else f"{proxy.kind}://{proxy.host}:{proxy.port}")
    if proxy is not None and proxy.user is not None:
        curl.setopt(pycurl.PROXYUSERNAME, proxy.user.encode())
        curl.setopt(pycurl.PROXYPASSWORD, proxy.password.encode())


def _trust(pycurl: Any, curl: Any, request: HTTPRequest, defaults: dict[str, Any]) -> None:
    if request.option("ssl_options", defaults) is not None:
        raise ValueError("libcurl takes no ssl_options; use ca_certs, client_cert and client_key")
    verify = bool(request.option("validate_cert", defaults))
    curl.setopt(pycurl.SSL_VERIFYPEER, int(verify))
    curl.setopt(pycurl.SSL_VERIFYHOST, 2 if verify else 0)
    for name, option in (
        ("ca_certs", pycurl.CAINFO),
        ("client_cert", pycurl.SSLCERT),
        ("client_key", pycurl.SSLKEY),
    ):
        value = request.option(name, defaults)
        if value:
            curl.setopt(option, value)
    if defaults.get("crl_file"):
        curl.setopt(pycurl.CRLFILE, defaults["crl_file"])
