"""Routers, matchers, hosts, mounted and nested applications, through the real engine."""

import pytest

from eyewall.web import Application, RequestHandler
from eyewall.web.routing.mount import Mount
from eyewall.web.routing.router import Router
from eyewall.web.routing.rules import (
    AnyMatches,
    HostMatches,
    Matcher,
    MethodMatches,
    PathMatches,
    Rule,
    URLSpec,
)
from eyewall.web.rule_router import ReversibleRuleRouter, RuleRouter
from tests.conftest import Live


def handler(text):
    class Handler(RequestHandler):
        def get(self, *args, **kwargs):
            self.write(f"{text}{list(args) or ''}{kwargs or ''} {self.exchange.path}")

    return Handler


def ask_all(run, app, *requests):
    """The statuses and bodies of requests, each a target and maybe a host and a method."""

    async def main():
        live = Live(app)
        answers = []
        for target, host, method in requests:
            peer = await live.connect()
            peer.send(f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            status, _, body = await peer.answer()
            answers.append((status, body.decode()))
            await peer.close()
        live.close()
        return answers

    return run(main)


def get(target, host="a.example", method="GET"):
    return target, host, method


def test_hosts_come_first_then_every_host_then_the_default_host(run):
    app = Application([(r"/all", handler("all"))], default_host="b.example", access_log=False)
    app.add_handlers(r"a\.example", [(r"/", handler("a"))])
    app.add_handlers(r"b\.example", [(r"/", handler("b"))])
    answers = ask_all(
        run, app, get("/"), get("/", "b.example:80"), get("/all"), get("/", "c.example"), get("/no")
    )
    assert [body.split()[0] for status, body in answers[:4]] == ["a", "b", "all", "b"]
    assert answers[4][0] == 404


def test_the_order_of_rules_of_all_kinds_decides(run):
    app = Application(
        [
            Rule(MethodMatches("POST", "DELETE"), handler("never")),
            (r"/x", handler("first")),
            (HostMatches(r"b\..*"), handler("host")),
            (r"/(x|y)", handler("path")),
            Rule(AnyMatches(), handler("any")),
        ],
        access_log=False,
    )
    answers = ask_all(run, app, get("/x"), get("/y"), get("/y", "b.example"), get("/z"))
    assert [body for _, body in answers] == ["first /x", "path['y'] /y", "host /y", "any /z"]


def test_a_list_of_rules_that_has_nothing_lets_the_next_rule_try(run):
    app = Application(
        [
            (r"/a/.*", [(r"/a/b", handler("inner")), (r"/a/(?P<c>c+)", handler("named"))]),
            (r"/a/(.*)", handler("outer")),
        ],
        access_log=False,
    )
    answers = ask_all(run, app, get("/a/b"), get("/a/cc"), get("/a/d%20e"), get("/a/%ff"))
    assert [body for _, body in answers[:3]] == [
        "inner /a/b",
        "named{'c': 'cc'} /a/cc",
        "outer['d e'] /a/d%20e",
    ]
    assert answers[3][0] == 400


def test_an_application_below_a_prefix_sees_the_rest_of_the_path(run):
    inner = Application([(r"/", handler("home")), (r"/u/(\d+)", handler("user"))], access_log=False)
    outer = Application([Mount("/admin", inner), (r"/adminx", handler("other"))], access_log=False)
    answers = ask_all(run, outer, get("/admin"), get("/admin/u/7"), get("/adminx"), get("/admin/q"))
    assert [body for _, body in answers[:3]] == ["home /", "user['7'] /u/7", "other /adminx"]
    assert answers[3][0] == 404


def test_a_router_of_ones_own_chooses_among_applications(run):
    class ByPort(Router):
        def find_handler(self, request, **kwargs):
            if request.path == "/none":
                return None
            return app.get_handler_delegate(
                request, handler("chosen"), path_args=["arg"], path_kwargs={}
            )

    app = Application(access_log=False)
    answers = ask_all(run, ByPort(), get("/"), get("/none"))
    assert answers == [(200, "chosen['arg'] /"), (404, "404: Not Found\n")]


def test_a_rule_router_serves_and_reverses(run):
    app = Application([URLSpec(r"/page/(\d+)", handler("page"), name="page")], access_log=False)
    router = ReversibleRuleRouter(
        [
            (r"/function", lambda request: f"function {request.path}"),
            (PathMatches(r"/page/.*"), app, {}, "pages"),
            (r"/more/.*", [(r"/more/x", Application([(r"/more/x", handler("x"))]))]),
        ]
    )
    answers = ask_all(run, router, get("/function"), get("/page/3"), get("/more/x"), get("/no"))
    assert [body for _, body in answers[:3]] == [
        "function /function",
        "page['3'] /page/3",
        "x /more/x",
    ]
    assert answers[3][0] == 404
    assert router.reverse_url("page", 8) == "/page/8"


def test_a_router_is_a_target_of_an_application(run):
    inner = RuleRouter([(r"/in", Application([(r"/in", handler("in"))], access_log=False))])
    app = Application([(AnyMatches(), inner)], access_log=False)
    assert ask_all(run, app, get("/in")) == [(200, "in /in")]


def test_matchers_of_ones_own_give_arguments_to_the_verb(run):
    class Header(Matcher):
        def match(self, request):
            return {"path_args": (request.headers["Host"],)}

    app = Application([(Header(), handler("own"))], access_log=False)
    assert ask_all(run, app, get("/"))[0][1] == "own['a.example'] /"


def test_what_cannot_be_a_target_or_a_name_is_refused_at_once():
    with pytest.raises(TypeError, match="neither a RequestHandler"):
        Application([(r"/", 7)])
    with pytest.raises(ValueError, match="begins with"):
        Mount("admin", Application())
    app = Application([Rule(AnyMatches(), handler("x"), name="any")])
    with pytest.raises(ValueError, match="cannot be reversed"):
        app.reverse_url("any")
    with pytest.raises(KeyError, match="no route named"):
        app.reverse_url("none")
