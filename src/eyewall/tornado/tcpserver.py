"""Servers of protocols of one's own, under Tornado's names."""

from eyewall.net.tcp_server import TCPServer

__all__ = ["TCPServer"]
