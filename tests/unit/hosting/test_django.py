"""The parts of the Django app that need no site."""

import asyncio
import threading

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from eyewall.hosting.django import publish
from eyewall.hosting.django.conf import read
from eyewall.hosting.django.publish import attach
from eyewall.pubsub import Hub


@pytest.fixture
def setting(monkeypatch):
    if not settings.configured:
        settings.configure()
    return lambda value: monkeypatch.setattr(settings, "EYEWALL", value, raising=False)


def test_the_setting_is_read(setting):
    setting({"HANDLERS": "a.b", "INTERFACE": "wsgi", "SETTINGS": {"debug": True}})
    conf = read()
    assert (conf.handlers, conf.interface, conf.settings) == ("a.b", "wsgi", {"debug": True})
    setting({})
    assert read().interface == "asgi"


@pytest.mark.parametrize("value", [[], {"HANDLER": "a.b"}, {"INTERFACE": "cgi"}])
def test_mistakes_in_the_setting_are_said(setting, value):
    setting(value)
    with pytest.raises(ImproperlyConfigured, match="EYEWALL"):
        read()


def test_messages_come_from_any_thread(run):
    async def main():
        async with Hub("memory:") as hub:
            attach(hub)
            try:
                async with hub.subscribe("notes") as subscription:
                    await asyncio.to_thread(publish, "notes", {"from": "thread"}, wait=True)
                    publish("notes", {"from": "loop"})
                    return [(await anext(aiter(subscription))).data for _ in range(2)]
            finally:
                attach(None)

    assert run(main) == [{"from": "thread"}, {"from": "loop"}]


def test_mistakes_raise_in_the_thread_that_publishes(run):
    async def main():
        async with Hub("memory:") as hub:
            attach(hub)
            try:
                with pytest.raises(TypeError):
                    await asyncio.to_thread(publish, "notes", object(), wait=True)
                with pytest.raises(RuntimeError, match="own thread"):
                    publish("notes", 1, wait=True)
            finally:
                attach(None)

    run(main)


def test_without_a_site_nothing_happens():
    publish("notes", {"nobody": "listens"})
    thread = threading.Thread(target=publish, args=("notes", 1))
    thread.start()
    thread.join()
