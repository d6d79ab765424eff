"""A form that sends a message with a link, in the background, from templates."""

import os

from eyewall import Application, RequestHandler
from eyewall.web.mail import Mailer
from eyewall.web.templates import DictLoader

TEMPLATES = DictLoader(
    {
        "link.txt": "{% autoescape None %}Hello {{ name }},\n\nyour link: {{ link }}\n",
        "link.html": '<p>Hello {{ name }},</p><p><a href="{{ link }}">your link</a></p>',
    }
)


class Link(RequestHandler):
    """Asks for a link by mail."""

    def post(self):
        """Answer at once, whoever it is; the message follows."""
        mailer, name = self.settings["mailer"], self.get_argument("name")
        values = {"name": name, "link": "https://example.com/enter?token=..."}
        self.application.background.spawn(
            mailer.send_mail(
                self.get_argument("address"),
                "Your link",
                template="link.txt",
                html_template="link.html",
                values=values,
            ),
            label="a link by mail",
        )
        self.set_status(202)


def make_app():
    """The application, with the server that `SMTP_PORT` names."""
    mailer = Mailer(
        "127.0.0.1",
        int(os.environ.get("SMTP_PORT", "25")),
        tls="never",
        sender="Example <desk@example.com>",
        loader=TEMPLATES,
    )
    return Application([(r"/link", Link)], mailer=mailer)


app = make_app()
