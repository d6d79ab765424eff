"""`Mailer`: messages by SMTP, with texts from templates."""

import re
from collections.abc import Iterable, Mapping
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from mimetypes import guess_type
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from eyewall.base.errors import ConfigurationError

Attachment: TypeAlias = Path | tuple[str, bytes]
"""A file, or a name and content."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_NO_ADDRESS: Final = re.compile(r"[\s,;<>()\"]")
_BRACKET: Final = re.compile(r"[<>]")


class Loader(Protocol):
    """Where templates come from: `eyewall.web.templates.Loader`, or Jinja's."""

    def load(self, name: str) -> Any:
        """A template, whose `generate` makes bytes."""
        ...


class Mailer:
    """Sends messages through one SMTP server; needs `pip install 'eyewall[mail]'`.

    Args:
        host: The server.
        port: Its port; None for that of the kind of connection: 465, 587 or 25.
        sender: What messages are from, as "Name <name@host>", where they do not say it.
        username: Name to log in with.
        password: Its password.
        tls: "start" to begin TLS on the connection (the default), "always" for TLS from the
            first byte, "never" for a server on this machine.
        loader: Where templates are.
        timeout_s: Seconds that each step may take.
        options: More options of `aiosmtplib.send`, such as `tls_context`.

    Raises:
        ConfigurationError: aiosmtplib is not installed, or `tls` is none of the three.
    """

    def __init__(
        self,
        host: str,
        port: int | None = None,
        *,
        sender: str | None = None,
        username: str | None = None,
        password: str | None = None,
        tls: str = "start",
        loader: Loader | None = None,
        timeout_s: float = 30.0,
        **options: Any,
    ) -> None:
        try:
            import aiosmtplib  # noqa: PLC0415 - an optional dependency
        except ImportError as exc:
            raise ConfigurationError("mail needs aiosmtplib: pip install 'eyewall[mail]'") from exc
        if tls not in {"start", "always", "never"}:
            raise ConfigurationError(f'tls is "start", "always" or "never", not {tls!r}')
        if (
            username is not None
            and tls == "never"
            and host not in {"localhost", "127.0.0.1", "::1"}
        ):
            raise ConfigurationError("a password is not sent to another machine without TLS")
        self.sender = sender
        self.loader = loader
        self._send = aiosmtplib.send
        self._options: dict[str, Any] = {
            "hostname": host,
            "port": port,
            "username": username,
            "password": password,
            "use_tls": tls == "always",
            "start_tls": tls == "start",
            "timeout": timeout_s,
            **options,
        }

    async def send_mail(  # noqa: PLR0913 - the parts of a message
        self,
        to: str | Iterable[str],
        subject: str,
        *,
        text: str | None = None,
        html: str | None = None,
        template: str | None = None,
        html_template: str | None = None,
        values: Mapping[str, Any] | None = None,
        sender: str | None = None,
        cc: str | Iterable[str] = (),
        bcc: str | Iterable[str] = (),
        reply_to: str | None = None,
        headers: Mapping[str, str] | None = None,
        attachments: Iterable[Attachment] = (),
    ) -> dict[str, str]:
        """Send a message.

        Args:
            to: Who gets it: "name@host" or "Name <name@host>", one or several.
            subject: Its subject.
            text: Its text.
            html: The same as HTML; with `text`, readers see the one that they prefer.
            template: Name of the template that makes the text.
            html_template: Name of the one that makes the HTML.
            values: What the templates are given.
            sender: Who it is from, other than the mailer's.
            cc: Who else gets it.
            bcc: Who gets it without the others seeing that.
            reply_to: Where answers go.
            headers: More fields.
            attachments: Files that go with it.

        Returns:
            What the server says of each address that it refuses while it takes others.

        Raises:
            ValueError: An address or a field is none, or there is neither text nor HTML.
            aiosmtplib.SMTPException: The server cannot be reached, or takes it for nobody.
            OSError: A file cannot be read.
        """
        values = values or {}
        if template is not None:
            text = self._made(template, values)
        if html_template is not None:
            html = self._made(html_template, values)
        sender = sender or self.sender
        if sender is None:
            raise ValueError("a message needs a sender: give it here, or to the Mailer")
        message = make_message(sender, to, subject, text, html)
        if copies := addresses(cc):
            message["Cc"] = copies
        if reply_to is not None:
            message["Reply-To"] = address(reply_to)
        for name, value in (headers or {}).items():
            message[name] = value
        for attachment in attachments:
            attach(message, attachment)
        receivers = [*addresses(to), *copies, *addresses(bcc)]
        errors, _ = await self._send(
            message,
            sender=address(sender).addr_spec,
            recipients=[receiver.addr_spec for receiver in receivers],
            **self._options,
        )
        return {name: str(error) for name, error in errors.items()}

    def _made(self, name: str, values: Mapping[str, Any]) -> str:
        if self.loader is None:
            raise ValueError(f"the template {name!r} needs a loader: give one to the Mailer")
        made: bytes = self.loader.load(name).generate(**values)
        return made.decode()


def address(text: str) -> Address:
    """An address, with the name before it if there is one.

    Raises:
        ValueError: It is none, or more than one.
    """
    if _CONTROL.search(text):
        raise ValueError(f"{text!r} is no address: it has control characters")
    name, bracket, spec = text.strip().removesuffix(">").rpartition("<")
    user, at, host = spec.rpartition("@")
    is_whole = text.strip().endswith(">") == bool(bracket)
    if not (is_whole and at and user and host) or _NO_ADDRESS.search(spec) or _BRACKET.search(name):
        raise ValueError(f'{text!r} is no address: it looks like "name@host" or "Name <name@host>"')
    name = name.strip().strip('"')
    return Address(name, user, host)


def addresses(texts: str | Iterable[str]) -> list[Address]:
    """Addresses, one or several.

    Raises:
        ValueError: One is none.
    """
    return [address(text) for text in ([texts] if isinstance(texts, str) else texts)]


def make_message(
    sender: str, to: str | Iterable[str], subject: str, text: str | None, html: str | None
) -> EmailMessage:
    """A message with its usual fields.

    Raises:
        ValueError: An address or the subject is none, or there is neither text nor HTML.
    """
    if text is None and html is None:
        raise ValueError("a message needs text or html, or a template for one of them")
    if _CONTROL.search(subject):
        raise ValueError("a subject cannot have control characters")
    by = address(sender)
    message = EmailMessage(policy=SMTP)
    message["From"] = by
    message["To"] = addresses(to)
    message["Subject"] = subject
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = make_msgid(domain=by.domain)
    if text is not None:
        message.set_content(text)
        if html is not None:
            message.add_alternative(html, subtype="html")
    else:
        message.set_content(html or "", subtype="html")
    return message


def attach(message: EmailMessage, attachment: Attachment) -> None:
    """Add a file to a message.

    Raises:
        OSError: It cannot be read.
        ValueError: Its name has control characters.
    """
    if isinstance(attachment, Path):
        attachment = (attachment.name, attachment.read_bytes())
    name, content = attachment
    if _CONTROL.search(name):
        raise ValueError(f"{name!r} is no name of a file: it has control characters")
    kind = (guess_type(name)[0] or "application/octet-stream").split("/")
    message.add_attachment(content, maintype=kind[0], subtype=kind[1], filename=name)
