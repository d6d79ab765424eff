"""Sizes and times, as they are given and as the engine takes them."""

import pytest

from eyewall.realtime.websocket.config import compression_options, ping_times


@pytest.mark.parametrize(
    ("interval", "timeout", "times"),
    [
        (None, None, (0, 0)),
        (0, None, (0, 0)),
        (20, None, (20, 20)),
        (20, 5, (20, 5)),
        (20, 0, (20, 0)),
        (None, 5, (0, 5)),
    ],
)
def test_the_time_out_is_the_interval_unless_it_is_given(interval, timeout, times):
    assert ping_times(interval, timeout) == times


@pytest.mark.parametrize(("interval", "timeout"), [(-1, None), (1, -1)])
def test_times_that_cannot_be_are_refused(interval, timeout):
    with pytest.raises(ValueError, match="must not be negative"):
        ping_times(interval, timeout)


def test_compression_may_be_switched_or_described():
    assert compression_options(None) is None
    assert compression_options(False) is None
    assert compression_options(True) == {}
    assert compression_options({"mem_level": 3}) == {"mem_level": 3}
    with pytest.raises(TypeError, match="a dict"):
        compression_options("yes")
