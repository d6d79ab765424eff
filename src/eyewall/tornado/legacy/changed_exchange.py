"""Exchanges of which something is otherwise than the engine says."""

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

from eyewall.http.exchange import Exchange

App = Callable[[Any], object]


class ChangedExchange:
    """An exchange with other values of some attributes; all else is the other one's.

    Args:
        exchange: The exchange.
        values: Attributes and their values.
    """

    def __init__(self, exchange: Exchange, **values: Any) -> None:
        self.__dict__.update(values, _inner=exchange)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_inner"], name)


def with_scheme(app: App, scheme: str) -> App:
    """An application whose requests came by `scheme`, whatever the connection is."""
    return lambda exchange: app(ChangedExchange(exchange, scheme=scheme))


def behind_proxies(app: App, trusted: Iterable[str]) -> App:
    """An application that believes what the peer says of the client, whoever the peer is.

    Args:
        app: The application.
        trusted: Addresses of further proxies, which are left out of `X-Forwarded-For`.
    """
    known = frozenset(trusted)

    def serve(exchange: Exchange) -> None:
        header = exchange.header
        remote_ip = exchange.remote_ip
        for name in reversed((header("X-Forwarded-For") or remote_ip).split(",")):
            remote_ip = name.strip()
            if remote_ip not in known:
                break
        remote_ip = header("X-Real-Ip") or remote_ip
        scheme = (header("X-Scheme") or header("X-Forwarded-Proto") or "").split(",")[-1].strip()
        app(
            ChangedExchange(
                exchange,
                remote_ip=remote_ip if _is_address(remote_ip) else exchange.remote_ip,
                scheme=scheme if scheme in {"http", "https"} else exchange.scheme,
            )
        )

    return serve


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
