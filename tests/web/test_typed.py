"""Handlers whose annotations say what they take."""

import json
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web import Application, RequestHandler
from eyewall.web.typed import Body, Form, Query, ValidationError
from eyewall.web.typed.validation import from_fields, from_json
from tests.conftest import Live


class Part(msgspec.Struct):
    name: str
    price: Annotated[int, msgspec.Meta(ge=0)]


class Order(msgspec.Struct, forbid_unknown_fields=True):
    customer: str
    parts: list[Part]
    note: str | None = None


class Filter(msgspec.Struct):
    page: int = 1
    tag: list[str] = []
    q: str | None = None


class Orders(RequestHandler):
    def get(self, number: str, filter: Filter) -> Filter:
        return filter

    async def post(self, number: str, order: Order) -> Order:
        return order

    def put(self, number: str, form: Annotated[Filter, Form]) -> str:
        return f"{number} {form.page} {form.tag}"


def make():
    app = Application([(r"/orders/(\d+)", Orders)], access_log=False)

    @app.post("/f/{id:int}")
    def create(request, id: int, order: Order, dry: bool = False) -> dict[str, object]:
        return {"id": id, "dry": dry, "parts": len(order.parts)}

    @app.get("/f/{id:int}")
    async def show(request, id: int, page: int, tag: Annotated[list[str], Query] = []) -> list:  # noqa: B006
        return [id, page, tag]

    return app


@pytest.fixture
def ask(run):
    def ask(method, target, body=b"", kind="application/json"):
        async def main():
            live = Live(make())
            peer = await live.connect()
            if isinstance(body, bytes):
                data = body
            else:
                data = json.dumps(body).encode()
            head = f"{method} {target} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(data)}\r\n"
            peer.send(f"{head}Content-Type: {kind}\r\n\r\n".encode() + data)
            status, headers, answer = await peer.answer()
            await peer.close()
            live.close()
            if "json" in headers.get("content-type", ""):
                return status, json.loads(answer)
            return status, answer.decode()

        return run(main)

    return ask


GOOD = {"customer": "c", "parts": [{"name": "n", "price": 3}]}


def test_a_body_a_query_and_a_form_arrive_decoded(ask):
    assert ask("POST", "/orders/7", GOOD) == (200, {**GOOD, "note": None})
    assert ask("GET", "/orders/7?page=2&tag=a&tag=b&other=x") == (
        200,
        {"page": 2, "tag": ["a", "b"], "q": None},
    )
    form = "application/x-www-form-urlencoded"
    assert ask("PUT", "/orders/7", b"page=3&tag=z", form) == (200, "7 3 ['z']")
    assert ask("POST", "/f/5?dry=true", GOOD) == (200, {"id": 5, "dry": True, "parts": 1})
    assert ask("GET", "/f/5?page=9&tag=x") == (200, [5, 9, ["x"]])


def test_every_wrong_field_is_named(ask):
    wrong = {"parts": [{"name": 1, "price": -1}, {"price": 2}, 7], "note": [], "odd": 1}
    status, problem = ask("POST", "/orders/7", wrong)
    assert status == 422
    named = {error["field"]: error["detail"] for error in problem["errors"]}
    assert set(named) == {
        "customer",
        "parts[0].name",
        "parts[0].price",
        "parts[1].name",
        "parts[2]",
        "note",
        "odd",
    }
    assert named["customer"] == "Field required"
    assert "`str`" in named["parts[0].name"]
    assert {error["in"] for error in problem["errors"]} == {"body"}


def test_wrong_fields_of_several_places_are_named_together(ask):
    status, problem = ask("POST", "/f/5?dry=perhaps", {"customer": 1, "parts": []})
    assert status == 422
    assert {(error["in"], error["field"]) for error in problem["errors"]} == {
        ("body", "customer"),
        ("query", "dry"),
    }
    status, problem = ask("GET", "/f/5")
    assert (status, problem["errors"][0]["field"]) == (422, "page")
    status, problem = ask("GET", "/orders/7?page=x&tag=%ff")
    assert (status, problem["errors"][0]["field"]) == (422, "tag")


def test_what_is_no_json_is_400_and_another_kind_of_body_is_415(ask, caplog):
    assert ask("POST", "/orders/7", b"{")[0] == 400
    assert ask("POST", "/orders/7", b"<a/>", "text/xml")[0] == 415
    assert ask("POST", "/orders/7", b"[" * 100_000)[0] == 400
    assert not any(record.exc_info for record in caplog.records)


def test_two_bodies_are_a_mistake_of_the_program():
    class Two(RequestHandler):
        def post(self, one: Order, two: Part): ...

    with pytest.raises(TypeError, match="only one parameter can be the body"):
        Application([("/", Two)])


def test_annotations_that_say_nothing_change_nothing(run):
    class Old(RequestHandler):
        def get(self, name: str = "none", page: int = 1) -> None:
            self.write(f"{name} {page}")

    async def main():
        live = Live(Application([("/old", Old)], access_log=False))
        answer = await live.ask(b"GET /old?page=2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        live.close()
        return answer

    assert run(main).endswith(b"none 1")


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["customer", "parts", "name", "price", "note"]), inner
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_is_taken_or_every_error_has_a_place(value):
    try:
        from_json(json.dumps(value).encode(), Order)
    except ValidationError as exc:
        assert exc.errors  # noqa: PT017 - most values raise nothing


@given(st.dictionaries(st.sampled_from(["page", "tag", "q"]), st.lists(st.text(), min_size=1)))
def test_any_query_is_taken_or_names_the_page(given_fields):
    try:
        from_fields(given_fields, Filter, "query")
    except ValidationError as exc:
        assert [error.field for error in exc.errors] == ["page"]  # noqa: PT017 - as above


def test_errors_are_bounded():
    with pytest.raises(ValidationError) as caught:
        from_json(json.dumps({"customer": "c", "parts": [0] * 5000}).encode(), Order)
    assert len(caught.value.errors) == 100


def test_markers_show_themselves():
    assert repr(Body) == "Body"
