"""WSGI programs, under Tornado's names."""

from eyewall.hosting.wsgi.adapter import WSGIAdapter
from eyewall.tornado.legacy.wsgi_container import WSGIContainer

__all__ = ["WSGIAdapter", "WSGIContainer"]
