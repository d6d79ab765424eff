"""Several fetches within a budget, circuit breakers, played answers."""

import asyncio

import pytest

from eyewall.base.stats import registry
from eyewall.http.client import (
    AsyncHTTPClient,
    CircuitBreaker,
    CircuitState,
    HTTPCircuitOpenError,
    HTTPClientError,
    HTTPConnectError,
    HTTPTimeoutError,
    Session,
    gather_fetch,
)
from eyewall.testing import PlayedHTTPClient
from eyewall.web import RequestHandler
from tests.unit.http.client.servers import answering, making, run, serving


class Quick(RequestHandler):
    def get(self):
        self.write("quick")


class Never(RequestHandler):
    async def get(self):
        await asyncio.Event().wait()


def test_what_is_there_within_the_budget_is_returned():
    async def main():
        async with serving(("/quick", Quick), ("/never", Never)) as (base, server):
            async with making() as client:
                gathered = await gather_fetch(
                    {
                        "quick": base + "/quick",
                        "never": base + "/never",
                        "missing": base + "/missing",
                        "nobody": "http://localhost:1/",
                    },
                    budget_s=1,
                    client=client,
                )
                assert {name: r.body for name, r in gathered.responses.items()} == {
                    "quick": b"quick"
                }
                assert isinstance(gathered.errors["never"], HTTPTimeoutError)
                assert gathered.errors["missing"].code == 404
                assert isinstance(gathered.errors["nobody"], HTTPConnectError)
                assert not gathered.is_complete
                assert client.stats()["running"] == 0
                assert client.stats()["fetches"] == 4
                assert (await gather_fetch({}, 1, client)).is_complete

    run(main())


def test_a_breaker_opens_tries_and_closes():
    async def main():
        now = 0.0
        breaker = CircuitBreaker(failures=3, within_s=10, pause_s=5, clock=lambda: now)

        async def ask(error=None):
            async with breaker.guard():
                if error is not None:
                    raise error

        async def fail():
            with pytest.raises(HTTPConnectError):
                await ask(HTTPConnectError("no"))

        for moment in (0, 1, 20):
            now = moment
            await fail()
        assert breaker.state is CircuitState.CLOSED
        for moment in (21, 22):
            now = moment
            await fail()
        assert breaker.state is CircuitState.OPEN
        with pytest.raises(HTTPCircuitOpenError):
            await ask()
        now = 28
        assert breaker.state is CircuitState.TRYING
        await fail()
        assert breaker.state is CircuitState.OPEN
        now = 34
        with pytest.raises(LookupError):
            await ask(LookupError())
        async with breaker.guard():
            with pytest.raises(HTTPCircuitOpenError):
                await ask()
        assert breaker.state is CircuitState.CLOSED
        with pytest.raises(HTTPClientError):
            await ask(HTTPClientError(404))
        assert breaker.state is CircuitState.CLOSED

    run(main())


def test_a_session_has_a_breaker_for_each_origin():
    async def main():
        bad = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        async with answering(bad) as broken, serving(("/", Quick)) as (working, _):
            async with Session(breaker=lambda: CircuitBreaker(failures=2)) as session:
                for _ in range(2):
                    assert (await session.get(broken)).code == 503
                with pytest.raises(HTTPCircuitOpenError):
                    await session.get(broken)
                assert (await session.get(working)).code == 200

    run(main())


def test_answers_are_played_and_requests_recorded():
    async def main():
        client = PlayedHTTPClient(force_instance=True)

        async def echo(request):
            return 201, {"X-Path": request.url}, request.body

        client.play("GET", r"http://a/.*", 503, b"second")
        client.play("POST", r"http://a/echo", echo)
        client.play("*", r"http://b/", HTTPTimeoutError("late"))
        with pytest.raises(HTTPClientError):
            await client.fetch("http://a/x")
        assert (await client.fetch("http://a/x")).body == b"second"
        assert (await client.fetch("http://a/y")).body == b"second"
        response = await client.fetch("http://a/echo", method="POST", body="text")
        assert (response.code, response.headers["X-Path"]) == (201, "http://a/echo")
        with pytest.raises(HTTPTimeoutError):
            await client.fetch("http://b/", method="DELETE")
        with pytest.raises(AssertionError, match="GET http://c/"):
            await client.fetch("http://c/")
        assert [request.method for request in client.requests[-3:]] == ["POST", "DELETE", "GET"]
        client.close()

    run(main())


def test_the_played_client_can_be_the_configured_one():
    async def main():
        AsyncHTTPClient.configure(PlayedHTTPClient)
        client = AsyncHTTPClient()
        assert isinstance(client, PlayedHTTPClient)
        assert AsyncHTTPClient() is client
        client.close()
        assert AsyncHTTPClient() is not client

    saved = AsyncHTTPClient._save_configuration()
    try:
        run(main())
    finally:
        AsyncHTTPClient._restore_configuration(saved)


def test_the_clients_figures_are_among_the_processs():
    def figures():
        return {family.name: family.series for family in registry.families()}

    async def main():
        async with serving(("/quick", Quick)) as (base, _), making() as client:
            before = figures()["eyewall_client_fetches_total"]
            await client.fetch(base + "/quick")
            await client.fetch(base + "/none", raise_error=False)
            with pytest.raises(HTTPConnectError):
                await client.fetch("http://localhost:1/")
            after = figures()
            for outcome in ("2xx", "4xx", "connect"):
                counted = after["eyewall_client_fetches_total"][outcome,]
                assert counted == before.get((outcome,), 0) + 1
            assert after["eyewall_client_connections"][()] >= 1

    run(main())
