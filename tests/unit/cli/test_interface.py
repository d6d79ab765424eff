"""What kind of application was named."""

import functools

import flask
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette

from eyewall.base.errors import StartupError
from eyewall.cli.interface import hosted, interface_of
from eyewall.hosting import ASGIContainer, WSGIContainer
from eyewall.web import Application


def wsgi(environ, start_response):
    return []


async def asgi(scope, receive, send):
    return None


class AsgiClass:
    async def __call__(self, scope, receive, send):
        return None


def exchange_function(exchange):
    exchange.respond(204, {}, b"")


@pytest.mark.parametrize(("app", "interface"), [
    (Application(), "eyewall"), (exchange_function, "eyewall"), (ASGIContainer(asgi), "eyewall"),
    (wsgi, "wsgi"), (flask.Flask("x"), "wsgi"), (functools.partial(wsgi), "wsgi"),
    (asgi, "asgi"), (AsgiClass(), "asgi"), (FastAPI(), "asgi"), (Starlette(), "asgi"),
])  # fmt: skip
def test_the_interface_is_found_by_the_arguments(app, interface):
    assert interface_of(app) == interface


@pytest.mark.parametrize("app", [lambda *args: None, lambda: None, lambda a, b, c, d: None, print])
def test_what_cannot_be_found_out_is_asked_for(app):
    with pytest.raises(StartupError, match="--interface"):
        hosted(app)


def test_what_is_said_counts():
    assert isinstance(hosted(lambda *args: None, "wsgi"), WSGIContainer)
    assert isinstance(hosted(lambda *args: None, "asgi"), ASGIContainer)
    assert hosted(exchange_function, "eyewall") is exchange_function
    with pytest.raises(StartupError, match="there are auto, eyewall, wsgi, asgi"):
        hosted(wsgi, "cgi")
