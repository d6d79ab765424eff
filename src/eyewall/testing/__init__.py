"""What tests of applications need."""

from eyewall.testing.async_case import AsyncTestCase, setup_with_context_manager
from eyewall.testing.case import AsyncHTTPSTestCase, AsyncHTTPTestCase
from eyewall.testing.client import TestClient
from eyewall.testing.clock import FakeClock
from eyewall.testing.expect_log import ExpectLog
from eyewall.testing.gen_test import gen_test, get_async_test_timeout
from eyewall.testing.played import PlayedHTTPClient
from eyewall.testing.ports import bind_unused_port
from eyewall.testing.response import StreamedResponse, TestResponse
from eyewall.testing.runner import main

__all__ = [
    "AsyncHTTPSTestCase",
    "AsyncHTTPTestCase",
    "AsyncTestCase",
    "ExpectLog",
    "FakeClock",
    "PlayedHTTPClient",
    "StreamedResponse",
    "TestClient",
    "TestResponse",
    "bind_unused_port",
    "gen_test",
    "get_async_test_timeout",
    "main",
    "setup_with_context_manager",
]
