"""Queries and urlencoded bodies, with limits."""

from eyewall.http import engine
from eyewall.http.errors import HTTPInputError

MAX_FIELDS = 1000


class FormError(HTTPInputError):
    """A query or a form that cannot be taken; answered 400."""


def parse_form(form: bytes | str, *, max_fields: int = MAX_FIELDS) -> dict[str, list[bytes]]:
    """The names and values of an urlencoded query or body; blank values are kept.

    Args:
        form: The encoded form; characters of text stand for bytes.
        max_fields: Most fields that are taken.

    Raises:
        FormError: There are more fields, or a name is no UTF-8.
    """
    if not form:
        return {}
    try:
        return engine.parse_form(form, max_fields)
    except ValueError as exc:
        raise FormError(str(exc)) from None


def find_field(
    form: bytes | str, name: str, *, strip: bool = True, max_fields: int = MAX_FIELDS
) -> str | None:
    """The last value of one field as text, without taking the whole form apart.

    Control characters become spaces.

    Args:
        form: The encoded form; characters of text stand for bytes.
        name: The field's name.
        strip: Whether white space around the value is removed.
        max_fields: Most fields that the form may have.

    Raises:
        FormError: There are more fields, or a name or the value is no UTF-8.
    """
    try:
        return engine.find_field(form, name, strip, max_fields)
    except ValueError as exc:
        raise FormError(str(exc)) from None
