"""Options: from the command line, from files, from the program."""

import datetime
import io
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base import options as shared
from eyewall.base.option_parser import OptionParser
from eyewall.base.options import Error


@pytest.fixture
def parser():
    parser = OptionParser()
    parser.define("port", default=80)
    parser.define("my-path", type=str)
    parser.define("when", type=datetime.datetime)
    parser.define("pause", type=datetime.timedelta)
    parser.define("numbers", type=int, multiple=True)
    parser.define("loud", default=False)
    return parser


def test_arguments_set_options_and_the_rest_is_returned(parser):
    rest = parser.parse_command_line(["program", "--port=443", "-loud", "more", "--port=1"])
    assert (parser.port, parser.loud, rest) == (443, True, ["more", "--port=1"])


def test_two_dashes_end_the_options(parser):
    assert parser.parse_command_line(["program", "--loud=no", "--", "--port=1"]) == ["--port=1"]
    assert parser.port == 80


@pytest.mark.parametrize("flag", ["--my-path=a=b", "--my_path=a=b"])
def test_dashes_and_underscores_are_the_same(parser, flag):
    parser.parse_command_line(["program", flag])
    assert parser.my_path == parser["my-path"] == parser["my_path"] == "a=b"
    assert "my_path" in parser
    assert "my-path" in parser.as_dict()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("45s", datetime.timedelta(seconds=45)),
        ("1h30m", datetime.timedelta(minutes=90)),
        ("2.5", datetime.timedelta(seconds=2.5)),
        ("1 day 500ms", datetime.timedelta(days=1, milliseconds=500)),
        ("-1w", datetime.timedelta(weeks=-1)),
    ],
)
def test_durations_are_read_in_their_usual_forms(parser, text, value):
    parser.parse_command_line(["program", f"--pause={text}"])
    assert parser.pause == value


@pytest.mark.parametrize("text", ["2026-11-21 07:05", "20261121 07:05", "2026-11-21T07:05"])
def test_dates_are_read_in_their_usual_forms(parser, text):
    parser.parse_command_line(["program", f"--when={text}"])
    assert parser.when == datetime.datetime(2026, 11, 21, 7, 5)


def test_lists_have_commas_and_ranges_of_numbers(parser):
    parser.parse_command_line(["program", "--numbers=1,5:7,-2:-1"])
    assert parser.numbers == [1, 5, 6, 7, -2, -1]


@pytest.mark.parametrize(
    "argument",
    [
        "--port=http",
        "--port",
        "--nothing=1",
        "--pause=soon",
        "--pause=1x",
        "--pause=",
        "--when=later",
        "--numbers=0:1000000000000",
        "--numbers=,",
        "--pause=" + "9" * 400 + "w",
    ],
)
def test_what_an_option_cannot_take_is_refused_by_name(parser, argument, capsys):
    with pytest.raises(Error, match=argument.lstrip("-").partition("=")[0]):
        parser.parse_command_line(["program", argument])


def test_assignment_takes_values_of_the_type_only(parser):
    parser.port = 8000
    parser["numbers"] = [1, 2]
    assert (parser.port, parser.numbers) == (8000, [1, 2])
    with pytest.raises(Error, match="must be int"):
        parser.port = "8000"
    with pytest.raises(Error, match="list"):
        parser.numbers = 1
    with pytest.raises(AttributeError, match="define it first"):
        parser.prot = 1


def test_an_unknown_option_is_no_attribute(parser):
    with pytest.raises(AttributeError, match="prot"):
        _ = parser.prot


def test_a_file_is_python_and_its_other_names_are_ignored(parser, tmp_path):
    file = tmp_path / "server.conf"
    file.write_text(
        "import os\nport = 40 + 3\nmy_path = __file__\npause = '3m'\nnumbers = '1:3'\nother = 1\n"
    )
    parser.parse_config_file(str(file))
    assert (parser.port, parser.my_path, parser.numbers) == (43, str(file), [1, 2, 3])
    assert parser.pause == datetime.timedelta(minutes=3)


def test_a_file_with_a_wrong_value_is_refused(parser, tmp_path):
    file = tmp_path / "server.conf"
    file.write_text("numbers = 4\n")
    with pytest.raises(Error, match="numbers"):
        parser.parse_config_file(str(file))


def test_a_name_is_defined_once_whatever_its_dashes(parser):
    with pytest.raises(Error, match="already defined"):
        parser.define("my_path")


def test_callbacks_see_each_value_and_each_final_parse(parser):
    seen = []
    parser.define("name", type=str, callback=seen.append)
    parser.add_parse_callback(lambda: seen.append("parsed"))
    parser.parse_command_line(["program", "--name=a"], final=False)
    parser.parse_command_line(["program", "--name=b"])
    parser.name = "c"
    assert seen == ["a", "b", "parsed", "c"]


def test_groups_are_files_unless_they_are_named(parser):
    parser.define("depth", default=3, group="tree")
    assert parser.groups() == {"", "tree", __file__}
    assert parser.group_dict("tree") == {"depth": 3}


def test_the_functions_define_in_the_file_that_calls_them():
    name = "defined-by-this-test"
    shared.define(name, default="x", help="what this is")
    assert shared.options.group_dict(__file__)[name] == "x"


def test_help_lists_options_by_group_and_ends_the_program(parser, capsys):
    parser.define("tall", default=3, help="how tall " * 20, metavar="METRES", group="tree")
    with pytest.raises(SystemExit) as ended:
        parser.parse_command_line(["program", "--help"])
    shown = capsys.readouterr().err
    assert ended.value.code == 0
    assert "--my-path=STR" in shown
    assert "--tall=METRES" in shown
    assert "(default 3)" in shown
    assert "tree options:" in shown
    assert max(map(len, shown.splitlines())) < 80 or __file__ in shown


def test_help_goes_where_it_is_told(parser):
    out = io.StringIO()
    parser.print_help(out)
    assert "--port=INT" in out.getvalue()


def test_mock_patches_options_and_gives_them_back(parser):
    with mock.patch.object(parser.mockable(), "port", 1):
        parser.port = 2
        with mock.patch.object(parser.mockable(), "port", 3):
            assert parser.port == 3
        assert parser.port == 2
    assert parser.port == 80


@given(st.text(max_size=200))
def test_any_text_is_a_value_or_an_error(text):
    for type_ in (int, float, bool, datetime.datetime, datetime.timedelta):
        parser = OptionParser()
        parser.define("value", type=type_)
        try:
            parser.parse_command_line(["program", f"--value={text}"])
        except Error:
            continue
        assert isinstance(parser.value, type_)


@given(st.lists(st.integers(), min_size=1))
def test_lists_of_numbers_are_read_back(numbers):
    parser = OptionParser()
    parser.define("value", type=int, multiple=True)
    parser.parse_command_line(["program", "--value=" + ",".join(map(str, numbers))])
    assert parser.value == numbers
