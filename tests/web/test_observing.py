"""What an application tells of its answers."""

import pytest

from eyewall.web import Application, HTTPError, Mount, RequestHandler
from tests.web.test_handlers import ask


class Told(list):
    def __call__(self, route, method, status, seconds):
        assert 0 <= seconds < 60
        self.append((route, method, status))


class Later(RequestHandler):
    async def get(self, name):
        self.write(name)


class Fails(RequestHandler):
    def get(self):
        raise HTTPError(418)


def make_app(**settings):
    app = Application(
        [
            (r"/later/(.*)", Later),
            (r"/fails", Fails),
            Mount("/inner", Application([(r"/x", lambda request: "x")], **settings)),
        ],
        **settings,
    )

    @app.get("/typed/{number:int}")
    def typed(request, number):
        return str(number)

    return app


@pytest.mark.parametrize("access_log", [True, False])
@pytest.mark.parametrize(("path", "told"), [
    ("/later/you", ("/later/(.*)", "GET", 200)),
    ("/fails", ("/fails", "GET", 418)),
    ("/typed/7", ("/typed/{number:int}", "GET", 200)),
    ("/inner/x", ("/inner/x", "GET", 200)),
    ("/inner/none", ("unmatched", "GET", 404)),
    ("/none", ("unmatched", "GET", 404)),
])  # fmt: skip
def test_each_answer_is_told_with_its_route(run, access_log, path, told):
    app = make_app(access_log=access_log)
    seen = Told()
    app.observe(seen)
    app.observe(seen)
    ask(run, app, path)
    assert seen == [told]


def test_a_method_that_is_not_served_is_told_too(run):
    app = make_app()
    seen = Told()
    app.observe(seen)
    ask(run, app, "/typed/7", method="DELETE")
    assert seen == [("/typed/{number:int}", "DELETE", 405)]
