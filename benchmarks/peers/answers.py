"""What all Python peers answer, and what those without a framework must do by hand for it."""

import json
import re
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs

HELLO = "Hello, world"
LARGE = b"x" * (1 << 20)
MESSAGE = {"message": HELLO}

_USERS = re.compile(r"/users/(\d+)/items$")


def page_of(user: int, page: int, q: str, session: str) -> dict[str, Any]:
    """The realistic answer: about 300 bytes as JSON."""
    items = [{"id": n, "name": f"{q} {n}", "price": n * 100} for n in range(page * 5, page * 5 + 6)]
    return {"user": user, "page": page, "q": q, "session": session, "items": items}


def by_hand(path: str, query: str, cookies: str) -> tuple[bytes, str, str | None]:
    """Body, content type and cookie for servers that bring no routing and no cookies."""
    if path == "/json":
        return json.dumps(MESSAGE).encode(), "application/json", None
    if path == "/large":
        return LARGE, "application/octet-stream", None
    match = _USERS.match(path)
    if match is None:
        return HELLO.encode(), "text/plain; charset=utf-8", None
    arguments = parse_qs(query)
    morsel = SimpleCookie(cookies).get("session")
    session = morsel.value if morsel else ""
    page = page_of(int(match[1]), int(arguments["page"][0]), arguments["q"][0], session)
    return json.dumps(page).encode(), "application/json", f"session={session}; Path=/; HttpOnly"


def route_count(variant: str) -> int:
    """How many routes "routes-N" asks for; 0 for another variant.

    The last of them, /route999/N, answers with N; the others are there to be passed by.
    """
    return int(variant.removeprefix("routes-")) if variant.startswith("routes-") else 0
