"""What an application opens is there before the first request and closed after the last."""

import pytest

from eyewall.testing import TestClient
from eyewall.web import Application

STEPS = []


@pytest.fixture(autouse=True)
def steps():
    STEPS.clear()
    return STEPS


def app_with(*makers):
    app = Application([(r"/", lambda request: app.settings["first"])])
    for maker in makers:
        app.resource(maker)
    return app


async def first(app):
    STEPS.append("open first")
    app.settings["first"] = "there"
    try:
        yield
    finally:
        STEPS.append("close first")


async def second(app):
    STEPS.append(f"open second after {app.settings['first']}")
    yield
    STEPS.append("close second")


async def broken(app):
    raise LookupError("no database")
    yield


def test_they_are_opened_in_order_and_closed_backwards(run, steps):
    app = app_with(first, second)

    async def main():
        await app.startup()
        await app.startup()
        assert steps == ["open first", "open second after there"]
        with pytest.raises(RuntimeError, match="too late"):
            app.resource(first)
        await app.drain()
        await app.drain()

    run(main)
    assert steps[2:] == ["close second", "close first"]


def test_when_one_fails_those_before_it_are_closed(run, steps):
    async def main():
        with pytest.raises(LookupError, match="no database"):
            await app_with(first, broken).startup()

    run(main)
    assert steps == ["open first", "close first"]


def test_background_work_still_has_them(run, steps):
    app = app_with(first)

    async def work():
        steps.append("work")

    async def main():
        await app.startup()
        app.background.spawn(work(), label="work")
        await app.drain()

    run(main)
    assert steps == ["open first", "work", "close first"]


def test_test_clients_open_and_close_them(run, steps):
    async def main():
        async with TestClient(app_with(first)) as client:
            assert (await client.get("/")).text == "there"

    run(main)
    assert steps == ["open first", "close first"]


def test_an_application_may_start_again(run, steps):
    app = app_with(first)

    async def main():
        for _ in range(2):
            await app.startup()
            await app.drain()

    run(main)
    assert steps == ["open first", "close first"] * 2
