"""Small helpers for objects, names, arguments and exceptions."""

import datetime
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.arguments import ArgReplacer
from eyewall.base.objects import (
    ObjectDict,
    errno_from_exception,
    exec_in,
    import_object,
    is_finalizing,
    raise_exc_info,
    re_unescape,
    timedelta_to_seconds,
)


def function(x, y, callback=None, *, last=None):
    """What the calls below are of."""


def test_members_of_an_object_dict_are_attributes():
    data = ObjectDict(a=1)
    data.b = 2
    assert (data.a, data["b"], data == {"a": 1, "b": 2}) == (1, 2, True)
    with pytest.raises(AttributeError, match="c"):
        _ = data.c


def test_modules_and_their_members_are_imported_by_name():
    import os.path

    assert import_object("os.path.join") is os.path.join
    assert import_object("os.path") is os.path
    assert import_object("sys") is sys
    assert import_object("email.mime.text").__name__ == "email.mime.text"


@pytest.mark.parametrize("name", ["os.path.nothing", "os.nothing", "no_such_module.x"])
def test_what_is_not_there_is_an_import_error(name):
    with pytest.raises(ImportError, match="no_such_module|nothing"):
        import_object(name)


def test_code_runs_without_the_callers_future_imports():
    names = {}
    exec_in("def f(x: int): pass", names)
    assert names["f"].__annotations__ == {"x": int}


def test_an_exception_is_raised_again_as_it_was():
    class OddError(Exception):
        def __init__(self, a, b):
            super().__init__()

    try:
        raise OddError(1, 2)
    except OddError:
        info = sys.exc_info()
    with pytest.raises(OddError) as raised:
        raise_exc_info(info)
    assert raised.value is info[1]
    with pytest.raises(TypeError, match="no exception"):
        raise_exc_info((None, None, None))


def test_errors_of_the_system_have_a_number():
    assert errno_from_exception(OSError(2, "gone")) == 2
    assert errno_from_exception(ValueError(7)) == 7
    assert errno_from_exception(ValueError()) is None


@given(st.text())
def test_unescaping_takes_escaping_back(text):
    assert re_unescape(re.escape(text)) == text


@pytest.mark.parametrize("text", [r"\d", r"a\Z", r"\0"])
def test_a_pattern_is_not_unescaped(text):
    with pytest.raises(ValueError, match="is a pattern"):
        re_unescape(text)


def test_times():
    assert timedelta_to_seconds(datetime.timedelta(hours=1)) == 3600.0
    assert is_finalizing() is False


def test_an_argument_is_replaced_where_it_stands():
    replacer = ArgReplacer(function, "callback")
    assert replacer.get_old_value((1, 2, "old"), {}) == "old"
    assert replacer.replace("new", (1, 2, "old"), {}) == ("old", [1, 2, "new"], {})
    assert replacer.get_old_value((1,), {"callback": "old"}) == "old"
    assert replacer.replace("new", (1,), {"callback": "old"}) == ("old", (1,), {"callback": "new"})
    assert replacer.get_old_value((1, 2), {}, "none") == "none"
    assert replacer.replace("new", (1, 2), {}) == (None, (1, 2), {"callback": "new"})


def test_an_argument_that_is_only_given_by_name_is_replaced_by_name():
    replacer = ArgReplacer(function, "last")
    assert replacer.replace("new", (1, 2, 3), {}) == (None, (1, 2, 3), {"last": "new"})
