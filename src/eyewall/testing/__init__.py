"""What tests of applications need."""

from eyewall.testing.case import AsyncHTTPTestCase, bind_unused_port
from eyewall.testing.client import TestClient, TestResponse

__all__ = ["AsyncHTTPTestCase", "TestClient", "TestResponse", "bind_unused_port"]
