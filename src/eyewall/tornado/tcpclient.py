"""Connections to servers, under Tornado's names."""

from eyewall.net.happy_eyeballs import first_connected as _Connector
from eyewall.net.tcp_client import TCPClient
from eyewall.net.tcp_client import format_address as _format_addr

__all__ = ["TCPClient", "_Connector", "_format_addr"]
