"""Messages reach a real SMTP server as they were meant."""

import email
import email.policy
import gc
import ssl
import warnings
from pathlib import Path

import aiosmtplib
import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from eyewall.base.errors import ConfigurationError
from eyewall.web.mail import Mailer
from eyewall.web.templates import DictLoader
from tests.databases.servers import free_port

LOADER = DictLoader(
    {
        "welcome.txt": "{% autoescape None %}Hello {{ name }}, welcome & enjoy.\n",
        "welcome.html": "<p>Hello {{ name }}</p>",
    }
)


class Box:
    """What the server has taken."""

    def __init__(self):
        self.taken = []

    async def handle_RCPT(self, server, session, envelope, address, options):  # noqa: N802
        if address.startswith("nobody@"):
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.taken.append((envelope.mail_from, envelope.rcpt_tos, message))
        return "250 taken"


@pytest.fixture
def authority():
    return trustme.CA()


@pytest.fixture
def server(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    controller = Controller(
        Box(),
        hostname="127.0.0.1",
        port=free_port(),
        tls_context=context,
        authenticator=lambda server, session, envelope, mechanism, data: AuthResult(
            success=data.password == b"secret", handled=False
        ),
    )
    controller.start()
    yield controller
    controller.stop()


@pytest.fixture
def mailer(server):
    return Mailer(
        "127.0.0.1", server.port, tls="never", sender="Shop <shop@example.com>", loader=LOADER
    )


def taken(server):
    [(sender, receivers, message)] = server.handler.taken
    return sender, receivers, message


def test_text_and_html_come_from_templates(run, server, mailer):
    async def main():
        refused = await mailer.send_mail(
            "Ann Ü <ann@example.org>",
            "Willkommen, Ännchen",
            template="welcome.txt",
            html_template="welcome.html",
            values={"name": "<Ann>"},
        )
        assert refused == {}

    run(main)
    sender, receivers, message = taken(server)
    assert (sender, receivers) == ("shop@example.com", ["ann@example.org"])
    assert message["To"].addresses[0].display_name == "Ann Ü"
    assert message["Subject"] == "Willkommen, Ännchen"
    assert message["From"].addresses[0].addr_spec == "shop@example.com"
    assert message["Message-ID"].endswith("@example.com>")
    assert message["Date"].datetime is not None
    assert message.get_content_type() == "multipart/alternative"
    html = message.get_body(("html",)).get_content()
    assert html.strip() == "<p>Hello &lt;Ann&gt;</p>"
    assert "Hello <Ann>, welcome & enjoy" in message.get_body(("plain",)).get_content()


def test_copies_attachments_and_fields_arrive_and_hidden_receivers_stay_hidden(
    run, server, mailer, tmp_path
):
    path = tmp_path / "plan.pdf"
    path.write_bytes(b"%PDF")

    async def main():
        await mailer.send_mail(
            ["a@example.org", "b@example.org"],
            "Plan",
            text="See the plan.\n.\nReally.",
            cc="c@example.org",
            bcc=["d@example.org"],
            reply_to="desk@example.com",
            headers={"X-Kind": "plan"},
            attachments=[path, ("notes.txt", b"notes")],
        )

    run(main)
    _, receivers, message = taken(server)
    assert receivers == [f"{name}@example.org" for name in "abcd"]
    assert (message["Cc"], message["Bcc"]) == ("c@example.org", None)
    assert (message["Reply-To"], message["X-Kind"]) == ("desk@example.com", "plan")
    files = [(part.get_filename(), part.get_content_type()) for part in message.iter_attachments()]
    assert files == [("plan.pdf", "application/pdf"), ("notes.txt", "text/plain")]
    assert "plan.\n.\nReally." in message.get_body(("plain",)).get_content().replace("\r\n", "\n")


def test_addresses_that_the_server_refuses_are_told(run, server, mailer):
    async def main():
        refused = await mailer.send_mail(
            ["ann@example.org", "nobody@example.org"], "Hello", text="Hello"
        )
        assert list(refused) == ["nobody@example.org"]
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
            await mailer.send_mail("nobody@example.org", "Hello", text="Hello")

    run(main)
    assert taken(server)[1] == ["ann@example.org"]


@pytest.fixture
def quiet_end():
    """Collect what a TLS connection of aiosmtplib leaves: it does not wait for its peer's end."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.usefixtures("quiet_end")
def test_tls_is_begun_verified_and_logged_in_over(run, server, authority):
    context = ssl.create_default_context()

    async def main():
        options = {"sender": "a@example.com", "username": "ann"}
        strict = Mailer("localhost", server.port, password="secret", tls_context=context, **options)
        with pytest.raises(ssl.SSLCertVerificationError):
            await strict.send_mail("b@example.org", "Hello", text="Hello")
        authority.configure_trust(context)
        await strict.send_mail("b@example.org", "Hello", text="Hello")
        wrong = Mailer("localhost", server.port, password="wrong", tls_context=context, **options)
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await wrong.send_mail("b@example.org", "Hello", text="Hello")

    run(main)
    assert taken(server)[0] == "a@example.com"


@pytest.mark.parametrize(
    "address",
    ["", "ann", "@example.org", "ann@", "a@x\r\nBcc: b@y", "a@x, b@y", "<a@x> <b@y>", "a b@x"],
)
def test_what_is_no_address_is_refused_before_anything_is_sent(run, mailer, server, address):
    async def main():
        with pytest.raises(ValueError, match="is no address"):
            await mailer.send_mail(address, "Hello", text="Hello")

    run(main)
    assert server.handler.taken == []


def test_fields_cannot_be_smuggled_in(run, mailer, server):
    async def main():
        with pytest.raises(ValueError, match="subject"):
            await mailer.send_mail("a@x.org", "Hi\r\nBcc: b@y.org", text="Hello")
        with pytest.raises(ValueError, match="(?i)header|line"):
            await mailer.send_mail("a@x.org", "Hi", text="", headers={"X-A": "1\r\nBcc: b@y.org"})
        with pytest.raises(ValueError, match="name of a file"):
            await mailer.send_mail("a@x.org", "Hi", text="", attachments=[("a\r\nb", b"")])

    run(main)
    assert server.handler.taken == []


def test_what_is_missing_is_named(run, mailer):
    async def main():
        with pytest.raises(ValueError, match="text or html"):
            await mailer.send_mail("a@x.org", "Hi")
        with pytest.raises(ValueError, match="needs a sender"):
            await Mailer("localhost").send_mail("a@x.org", "Hi", text="Hello")
        with pytest.raises(ValueError, match="needs a loader"):
            await Mailer("localhost", sender="a@x.org").send_mail("a@x.org", "Hi", template="t")
        with pytest.raises(FileNotFoundError):
            await mailer.send_mail("a@x.org", "Hi", text="", attachments=[Path("/nowhere.txt")])

    run(main)
    with pytest.raises(ConfigurationError, match='"start", "always" or "never"'):
        Mailer("localhost", tls="maybe")
    with pytest.raises(ConfigurationError, match="without TLS"):
        Mailer("mail.example.com", username="ann", password="secret", tls="never")


def test_a_server_that_is_not_there_is_an_error_of_smtp(run):
    async def main():
        mailer = Mailer("127.0.0.1", free_port(), tls="never", sender="a@x.org")
        with pytest.raises(aiosmtplib.SMTPConnectError):
            await mailer.send_mail("b@x.org", "Hi", text="Hello")

    run(main)
