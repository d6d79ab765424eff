"""Programs of other kinds inside this one, and this one's inside other servers."""

from eyewall.hosting.asgi.mount import ASGIContainer
from eyewall.hosting.wsgi.adapter import WSGIAdapter
from eyewall.hosting.wsgi.mount import WSGIContainer

__all__ = ["ASGIContainer", "WSGIAdapter", "WSGIContainer"]
