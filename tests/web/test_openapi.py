"""The OpenAPI document, and the page that shows it."""

import json

from eyewall.web import Application, RequestHandler
from tests.conftest import Live
from tests.web.test_typed import Filter, Order


class Orders(RequestHandler):
    def get(self, number: int, filter: Filter) -> list[Order]:
        """List orders.

        The newest first.
        """

    def post(self, number: int, order: Order) -> Order:
        """Make an order."""


class Plain(RequestHandler):
    def get(self):
        self.write("plain")


def make():
    app = Application(
        [(r"/orders/(\d+)", Orders), ("/plain", Plain), (r"/not/a?/path", Plain)],
        openapi={"title": "Orders", "version": "3"},
        access_log=False,
    )

    @app.delete("/items/{id:int}")
    def remove(request, id: int, force: bool = False) -> None:
        """Remove an item."""

    return app


async def fetch(target):
    live = Live(make())
    peer = await live.connect()
    peer.send(f"GET {target} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    answer = await peer.answer()
    await peer.close()
    live.close()
    return answer


def test_the_document_says_what_is_taken_and_answered(run):
    status, headers, body = run(lambda: fetch("/openapi.json"))
    assert (status, headers["content-type"]) == (200, "application/json")
    api = json.loads(body)
    assert api["info"] == {"title": "Orders", "version": "3"}
    assert set(api["paths"]) == {"/orders/{number}", "/plain", "/items/{id}"}
    listed = api["paths"]["/orders/{number}"]["get"]
    assert (listed["summary"], listed["description"]) == ("List orders.", "The newest first.")
    places = {(each["name"], each["in"], each["required"]) for each in listed["parameters"]}
    assert places == {
        ("number", "path", True),
        ("page", "query", False),
        ("tag", "query", False),
        ("q", "query", False),
    }
    number = next(each for each in listed["parameters"] if each["name"] == "number")
    assert number["schema"] == {"type": "integer"}
    made = api["paths"]["/orders/{number}"]["post"]
    reference = {"$ref": "#/components/schemas/Order"}
    assert made["requestBody"]["content"]["application/json"]["schema"] == reference
    assert made["responses"]["200"]["content"]["application/json"]["schema"] == reference
    assert "422" in made["responses"]
    assert "422" not in api["paths"]["/plain"]["get"]["responses"]
    assert {"Order", "Part", "Problem"} <= set(api["components"]["schemas"])
    removed = api["paths"]["/items/{id}"]["delete"]
    assert {each["name"] for each in removed["parameters"]} == {"id", "force"}


def test_the_page_loads_nothing_from_elsewhere(run):
    status, headers, body = run(lambda: fetch("/docs"))
    assert status == 200
    assert headers["content-type"].startswith("text/html")
    assert b"http:" not in body
    assert b"https:" not in body


def test_without_the_setting_there_is_no_document(run):
    async def main():
        live = Live(Application([("/plain", Plain)], access_log=False))
        answer = await live.ask(
            b"GET /openapi.json HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        )
        live.close()
        return answer

    assert run(main).startswith(b"HTTP/1.1 404 ")
