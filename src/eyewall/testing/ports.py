"""`bind_unused_port`: a listening socket that nobody else has."""

import socket


def bind_unused_port(
    reuse_port: bool = False, address: str = "127.0.0.1"
) -> tuple[socket.socket, int]:
    """A listening, non-blocking socket on a free port, and the port's number."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.create_server((address, 0), family=family, reuse_port=reuse_port)
    sock.setblocking(False)
    return sock, sock.getsockname()[1]
