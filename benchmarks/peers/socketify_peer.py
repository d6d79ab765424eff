"""socketify, the Python binding of µWebSockets: `socketify_peer.py PORT`."""

import json
import sys
from typing import Any

from answers import HELLO, LARGE, MESSAGE, page_of
from socketify import App


def hello(res: Any, _: Any) -> None:
    res.write_header("Content-Type", "text/plain; charset=utf-8")
    res.end(HELLO)


def as_json(res: Any, _: Any) -> None:
    res.write_header("Content-Type", "application/json")
    res.end(json.dumps(MESSAGE))


def items(res: Any, req: Any) -> None:
    session = req.get_cookie("session") or ""
    user, page = int(req.get_parameter(0)), int(req.get_query("page"))
    res.write_header("Content-Type", "application/json")
    res.write_header("Set-Cookie", f"session={session}; Path=/; HttpOnly")
    res.end(json.dumps(page_of(user, page, req.get_query("q"), session)))


async def echo(res: Any, _: Any) -> None:
    body = await res.get_data()
    res.cork_end(body.getvalue())


def large(res: Any, _: Any) -> None:
    res.end(LARGE)


def main(port: int) -> None:
    app = App()
    app.get("/", hello)
    app.get("/json", as_json)
    app.get("/users/:user/items", items)
    app.post("/echo", echo)
    app.get("/large", large)
    app.listen(port)
    app.run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
