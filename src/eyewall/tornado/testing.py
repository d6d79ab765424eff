"""Cases for unittest, under Tornado's names."""

from eyewall.testing import (
    AsyncTestCase,
    ExpectLog,
    bind_unused_port,
    gen_test,
    get_async_test_timeout,
    main,
    setup_with_context_manager,
)
from eyewall.tornado.legacy.cases import AsyncHTTPSTestCase, AsyncHTTPTestCase

__all__ = [
    "AsyncHTTPSTestCase",
    "AsyncHTTPTestCase",
    "AsyncTestCase",
    "ExpectLog",
    "bind_unused_port",
    "gen_test",
    "get_async_test_timeout",
    "main",
    "setup_with_context_manager",
]
