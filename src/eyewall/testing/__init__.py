"""What tests of applications need."""

from eyewall.testing.async_case import AsyncTestCase, setup_with_context_manager
from eyewall.testing.case import AsyncHTTPSTestCase, AsyncHTTPTestCase
from eyewall.testing.client import TestClient, TestResponse
from eyewall.testing.expect_log import ExpectLog
from eyewall.testing.gen_test import gen_test, get_async_test_timeout
from eyewall.testing.ports import bind_unused_port
from eyewall.testing.runner import main

__all__ = [
    "AsyncHTTPSTestCase",
    "AsyncHTTPTestCase",
    "AsyncTestCase",
    "ExpectLog",
    "TestClient",
    "TestResponse",
    "bind_unused_port",
    "gen_test",
    "get_async_test_timeout",
    "main",
    "setup_with_context_manager",
]
