"""A page made of what several slow services answer within half a second."""

import os

from eyewall import Application, RequestHandler
from eyewall.http.client import CircuitBreaker, HTTPCircuitOpenError, Session, gather_fetch

BUDGET_S = 0.5
SOURCES = ("news", "weather", "prices")


class Home(RequestHandler):
    """Asks all sources at once; those that are late are left out, and said so."""

    async def get(self) -> None:
        """The page."""
        base = self.settings["services"]
        gathered = await gather_fetch({name: f"{base}/{name}" for name in SOURCES}, BUDGET_S)
        self.write(
            {
                "sources": {name: r.json() for name, r in gathered.responses.items()},
                "missing": sorted(gathered.errors),
            }
        )


class Prices(RequestHandler):
    """Passes a feed of JSON lines on as it comes, and leaves its service alone when it fails."""

    async def get(self) -> None:
        """The feed, a line for each price."""
        breaker: CircuitBreaker = self.settings["breaker"]
        session: Session = self.settings["session"]
        try:
            async with breaker.guard(), session.stream("GET", "/feed") as response:
                response.raise_for_status()
                async for price in response.json_lines():
                    self.write(f"{price['name']} {price['euros']:.2f}\n")
                    await self.flush()
        except HTTPCircuitOpenError:
            self.send_error(503)


def make_app(services: str | None = None) -> Application:
    """The program; `services` is where the sources are."""
    base = services or os.environ.get("SERVICES", "http://127.0.0.1:9000")
    return Application(
        [(r"/", Home), (r"/prices", Prices)],
        services=base,
        session=Session(base),
        breaker=CircuitBreaker(failures=3, pause_s=5),
    )


app = make_app()
