"""Streams, TCP servers and clients, names of hosts, datagrams and processes."""

from eyewall.net.accept import add_accept_handler
from eyewall.net.base_stream import BaseIOStream
from eyewall.net.errors import (
    BindError,
    StreamBufferFullError,
    StreamClosedError,
    UnsatisfiableReadError,
)
from eyewall.net.pipe_stream import PipeIOStream
from eyewall.net.process import Subprocess, cpu_count, fork_processes, task_id
from eyewall.net.resolver import (
    BlockingResolver,
    DefaultLoopResolver,
    OverrideResolver,
    Resolver,
    ThreadedResolver,
    is_valid_ip,
)
from eyewall.net.sockets import bind_sockets, bind_unix_socket
from eyewall.net.stream import IOStream, SSLIOStream
from eyewall.net.tcp_client import TCPClient
from eyewall.net.tcp_server import TCPServer
from eyewall.net.tls import ssl_options_to_context, ssl_wrap_socket
from eyewall.net.udp import UDPSocket, open_udp

__all__ = [
    "BaseIOStream",
    "BindError",
    "BlockingResolver",
    "DefaultLoopResolver",
    "IOStream",
    "OverrideResolver",
    "PipeIOStream",
    "Resolver",
    "SSLIOStream",
    "StreamBufferFullError",
    "StreamClosedError",
    "Subprocess",
    "TCPClient",
    "TCPServer",
    "ThreadedResolver",
    "UDPSocket",
    "UnsatisfiableReadError",
    "add_accept_handler",
    "bind_sockets",
    "bind_unix_socket",
    "cpu_count",
    "fork_processes",
    "is_valid_ip",
    "open_udp",
    "ssl_options_to_context",
    "ssl_wrap_socket",
    "task_id",
]
