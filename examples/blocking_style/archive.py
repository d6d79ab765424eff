"""Files kept in another service, through a session of `requests` that logs in and keeps cookies.

`Archive` is plain blocking code, which a script may use as well.
"""

import os

import requests

from eyewall import Application, RequestHandler
from eyewall.web.greenlets import greenlet_handler, run_in_greenlet, setup_session

setup_session()


class Archive:
    """A client of the service."""

    def __init__(self, url, user, password):
        self.url = url
        self.session = requests.Session()
        answer = self.session.post(f"{url}/login", auth=(user, password), timeout=30)
        answer.raise_for_status()

    def put(self, name, content):
        """Keep a file; returns its size."""
        answer = self.session.post(f"{self.url}/files", files={"file": (name, content)}, timeout=30)
        answer.raise_for_status()
        return answer.json()["size"]

    def pieces(self, name):
        """A file's content, piece by piece."""
        with self.session.get(f"{self.url}/files/{name}", stream=True, timeout=30) as answer:
            answer.raise_for_status()
            yield from answer.iter_content(64 * 1024)


class File(RequestHandler):
    """One file."""

    @greenlet_handler
    def put(self, name):
        """Keep it."""
        self.write({"size": self.settings["archive"].put(name, self.request.body)})

    @greenlet_handler
    def get(self, name):
        """Hand it on as it comes."""
        try:
            for piece in self.settings["archive"].pieces(name):
                self.write(piece)
                self.flush()
        except requests.HTTPError as error:
            self.send_error(error.response.status_code)


async def archive(app):
    """Log in when the application starts."""
    app.settings["archive"] = await run_in_greenlet(
        Archive, os.environ["ARCHIVE_URL"], "keeper", "secret"
    )
    yield
    app.settings["archive"].session.close()


app = Application([(r"/([\w.]+)", File)])
app.resource(archive)
