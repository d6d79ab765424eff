"""Sockets, names and TLS options, under Tornado's names."""

from eyewall.net.accept import add_accept_handler
from eyewall.net.resolver import (
    BlockingResolver,
    DefaultExecutorResolver,
    DefaultLoopResolver,
    ExecutorResolver,
    OverrideResolver,
    Resolver,
    ThreadedResolver,
    is_valid_ip,
)
from eyewall.net.sockets import bind_sockets, bind_unix_socket
from eyewall.net.tls import ssl_options_to_context, ssl_wrap_socket

__all__ = [
    "BlockingResolver",
    "DefaultExecutorResolver",
    "DefaultLoopResolver",
    "ExecutorResolver",
    "OverrideResolver",
    "Resolver",
    "ThreadedResolver",
    "add_accept_handler",
    "bind_sockets",
    "bind_unix_socket",
    "is_valid_ip",
    "ssl_options_to_context",
    "ssl_wrap_socket",
]
