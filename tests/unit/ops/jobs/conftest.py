"""A real Redis."""

from tests.contract.conftest import redis_path

__all__ = ["redis_path"]
