"""Signatures by themselves, as old tests of programs make them."""

from eyewall.base.signing import _sign_v1, _sign_v2


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def create_signature_v1(secret: str | bytes, *parts: str | bytes) -> bytes:
    """The signature of format 1: of all parts, one after the other."""
    return _sign_v1(_bytes(secret), *map(_bytes, parts))


def create_signature_v2(secret: str | bytes, signed: bytes) -> bytes:
    """The signature of format 2."""
    return _sign_v2(_bytes(secret), signed)
