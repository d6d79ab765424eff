"""`eyewall run` serves programs of other frameworks, found out by itself."""

import signal
import textwrap
import urllib.request

import pytest

from tests.support import Process

PROGRAMS = {
    "flask": """
        import flask
        app = flask.Flask("app")
        @app.get("/")
        def home():
            return "from flask"
    """,
    "fastapi": """
        from fastapi import FastAPI
        app = FastAPI()
        @app.get("/")
        async def home() -> str:
            return "from fastapi"
    """,
    "starlette": """
        import contextlib
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route
        @contextlib.asynccontextmanager
        async def lifespan(app):
            yield {"who": "from starlette"}
            open("stopped", "w").close()
        async def home(request):
            return PlainTextResponse(request.state.who)
        app = Starlette(routes=[Route("/", home)], lifespan=lifespan)
    """,
    "django": """
        import django
        from django.conf import settings
        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", DEBUG=False)
        from django.core.asgi import get_asgi_application
        from django.http import HttpResponse
        from django.urls import path
        async def home(request):
            return HttpResponse("from django")
        urlpatterns = [path("", home)]
        app = get_asgi_application()
    """,
    "django_wsgi": """
        from django.conf import settings
        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", DEBUG=False)
        from django.core.wsgi import get_wsgi_application
        from django.http import HttpResponse
        from django.urls import path
        def home(request):
            return HttpResponse("from django_wsgi")
        urlpatterns = [path("", home)]
        app = get_wsgi_application()
    """,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_served(tmp_path, name):
    (tmp_path / "app.py").write_text(textwrap.dedent(PROGRAMS[name]))
    process = Process("run", "--port", "0", cwd=tmp_path)
    try:
        with urllib.request.urlopen(process.url(), timeout=20) as answer:
            assert f"from {name}" in answer.read().decode()
    finally:
        assert process.stop(signal.SIGTERM) == 0
    assert (tmp_path / "stopped").exists() == (name == "starlette")


def test_a_startup_that_fails_ends_the_command_with_its_reason(tmp_path):
    (tmp_path / "app.py").write_text(
        textwrap.dedent("""
        import contextlib
        from starlette.applications import Starlette
        @contextlib.asynccontextmanager
        async def lifespan(app):
            raise LookupError("no database here")
            yield
        app = Starlette(lifespan=lifespan)
    """)
    )
    process = Process("run", "--port", "0", cwd=tmp_path)
    process.wait_for("no database here")
    assert process.end() != 0
