"""The setting `cross_origin_protection`, through the real engine."""

import pytest

from eyewall.web import Application, RequestHandler
from tests.conftest import Live


class Page(RequestHandler):
    def get(self):
        self.write("page")

    def post(self):
        self.write("changed")


class Lenient(Page):
    def check_trusted_origin(self, origin):
        return origin.endswith(".example")


@pytest.fixture
def ask(run):
    async def asked(method, target, headers, settings):
        routes = [("/", Page), ("/lenient", Lenient)]
        live = Live(Application(routes, access_log=False, **settings))
        peer = await live.connect()
        lines = [f"{method} {target} HTTP/1.1", "Host: h", "Content-Length: 0"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        peer.send("\r\n".join([*lines, "", ""]).encode())
        status, _, _ = await peer.answer()
        await peer.close()
        live.close()
        return status

    def ask(method, headers, target="/", **settings):
        settings = {"cross_origin_protection": True, **settings}
        return run(lambda: asked(method, target, headers, settings))

    return ask


CROSS = {"Sec-Fetch-Site": "cross-site", "Origin": "https://other.example"}


def test_another_sites_page_changes_nothing(ask, caplog):
    assert ask("POST", CROSS) == 403
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Sec-Fetch-Site cross-site" in caplog.text


def test_methods_that_nobody_serves_are_refused_first(ask):
    assert ask("DELETE", CROSS) == 403


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_reading_is_free(ask, method):
    assert ask(method, CROSS) in {200, 204}


def test_this_sites_own_pages_and_programs_pass(ask):
    assert ask("POST", {"Sec-Fetch-Site": "same-origin"}) == 200
    assert ask("POST", {"Origin": "http://h"}) == 200
    assert ask("POST", {}) == 200


def test_trusted_origins_are_a_setting_or_a_method(ask):
    assert ask("POST", CROSS, trusted_origins=["https://other.example"]) == 200
    assert ask("POST", CROSS, "/lenient") == 200


def test_an_error_of_a_path_that_is_not_there_stays_that_error(ask):
    assert ask("POST", CROSS, "/nowhere") == 404


def test_it_is_off_where_nobody_asked_for_it(ask):
    assert ask("POST", CROSS, cross_origin_protection=False) == 200
