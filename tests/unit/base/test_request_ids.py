"""What requests are called."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.request_ids import choose_request_id, is_request_id, trace_of

TRACE = "0af7651916cd43dd8448eb211c80319c"


def test_what_the_client_sent_counts_first():
    assert choose_request_id("abc", f"00-{TRACE}-b7ad6b7169203331-01") == "abc"
    assert choose_request_id(None, f"00-{TRACE}-b7ad6b7169203331-01") == TRACE


@pytest.mark.parametrize("sent", [None, "", "a\nb", "x" * 129, "é", "\x7f"])
def test_what_cannot_stand_in_a_line_is_replaced(sent):
    assert re.fullmatch("[0-9a-f]{32}", choose_request_id(sent, None))


@pytest.mark.parametrize("field", [
    f"00-{TRACE}-b7ad6b7169203331-01", f" 00-{TRACE}-b7ad6b7169203331-00 ",
    f"01-{TRACE}-b7ad6b7169203331-01-more",
])  # fmt: skip
def test_a_trace_is_found(field):
    assert trace_of(field) == TRACE


@pytest.mark.parametrize("field", [
    None, "", f"ff-{TRACE}-b7ad6b7169203331-01", f"00-{'0' * 32}-b7ad6b7169203331-01",
    f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE.upper()}-b7ad6b7169203331-01",
    f"00-{TRACE}-b7ad6b7169203331-01-more", f"00-{TRACE}-b7ad6b7169203331", "-" * 100_000,
])  # fmt: skip
def test_a_malformed_trace_is_none(field):
    assert trace_of(field) is None


@given(st.text(), st.text())
def test_whatever_comes_the_id_can_stand_in_a_line(sent, traceparent):
    assert is_request_id(choose_request_id(sent, traceparent))
