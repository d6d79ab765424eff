"""The TCP server, under Tornado's name."""

from eyewall.net.tcp_server import TCPServer

__all__ = ["TCPServer"]
