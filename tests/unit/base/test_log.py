"""Log lines, and logging set up by options."""

import io
import json
import logging
import re
import sys

import pytest

from eyewall.base.log import (
    JSONFormatter,
    LogFormatter,
    define_logging_options,
    enable_pretty_logging,
)
from eyewall.base.option_parser import OptionParser


def record(message, *args, level=logging.ERROR, exc_info=None):
    return logging.LogRecord("name", level, "/x/module.py", 12, message, args, exc_info)


def options(**values):
    parser = OptionParser()
    define_logging_options(parser)
    for name, value in values.items():
        parser[name] = value
    return parser


@pytest.fixture
def logger():
    logger = logging.Logger("separate")  # noqa: LOG001 - one that no other test shares
    yield logger
    for handler in logger.handlers:
        handler.close()


def use_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stderr", Terminal())


def test_a_line_has_level_time_and_place():
    line = LogFormatter().format(record("hello %s", "you"))
    assert re.fullmatch(r"\[E \d{6} \d\d:\d\d:\d\d module:12\] hello you", line)


def test_what_follows_the_first_line_is_indented():
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        text = LogFormatter().format(record("failed\n[E forged]", exc_info=sys.exc_info()))
    first, *rest = text.splitlines()
    assert first.endswith("failed")
    assert all(line.startswith("    ") for line in rest)
    assert "ValueError: first" in text


def test_a_message_that_cannot_be_made_is_a_line_that_says_so():
    assert "Bad message (TypeError): 'no %d'" in LogFormatter().format(record("no %d", "x"))


def test_a_terminal_gets_colours(monkeypatch):
    use_terminal(monkeypatch)
    line = LogFormatter().format(record("hello"))
    assert line.startswith("\033[31m[E ")
    assert line.endswith("]\033[0m hello")
    assert "\033" not in LogFormatter(color=False).format(record("hello"))


def test_colours_form_and_time_are_the_programs_choice(monkeypatch):
    use_terminal(monkeypatch)
    formatter = LogFormatter(
        "{color}{levelname}{end_color} {asctime} {message}", "%Y", "{", colors={40: 6}
    )
    assert re.fullmatch("\033\\[36mERROR\033\\[0m \\d{4} hello", formatter.format(record("hello")))
    assert formatter.format(record("hello", level=logging.INFO)).startswith("INFO ")


def test_no_color_in_the_environment_is_heeded(monkeypatch):
    use_terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\033" not in LogFormatter().format(record("hello"))


def test_json_lines_have_the_extra_fields():
    entry = record("hello")
    entry.request_id = "r1"
    assert json.loads(JSONFormatter().format(entry))["request_id"] == "r1"


@pytest.mark.parametrize("mode", ["size", "time"])
def test_records_go_to_a_file(tmp_path, logger, mode):
    file = tmp_path / "log"
    enable_pretty_logging(options(log_file_prefix=str(file), log_rotate_mode=mode), logger)
    logger.info("grüße")
    [handler] = logger.handlers
    handler.flush()
    assert re.fullmatch(r"\[I [^]]*\] grüße\n", file.read_text(encoding="utf-8"))


def test_files_are_rotated_by_size(tmp_path, logger):
    file = tmp_path / "log"
    chosen = options(log_file_prefix=str(file), log_file_max_size=100, log_file_num_backups=2)
    enable_pretty_logging(chosen, logger)
    for _ in range(20):
        logger.info("a line of some length, which fills the file")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1", "log.2"]


def test_standard_error_is_used_without_a_file_and_where_it_is_asked_for(tmp_path, logger):
    enable_pretty_logging(options(), logger)
    assert [type(handler) for handler in logger.handlers] == [logging.StreamHandler]
    logger.handlers.clear()
    both = options(log_to_stderr=True, log_file_prefix=str(tmp_path / "log"))
    enable_pretty_logging(both, logger)
    assert len(logger.handlers) == 2


@pytest.mark.parametrize("level", ["none", "None", None])
def test_the_level_none_leaves_logging_alone(logger, level):
    enable_pretty_logging(options(logging=level), logger)
    assert logger.handlers == []


def test_an_unknown_way_of_rotating_is_refused(logger):
    with pytest.raises(ValueError, match="log_rotate_mode"):
        enable_pretty_logging(options(log_file_prefix="x", log_rotate_mode="moon"), logger)


def test_a_final_parse_sets_logging_up(logger, monkeypatch):
    monkeypatch.setattr(logging, "getLogger", lambda name=None: logger)
    parser = options()
    parser.parse_command_line(["program", "--logging=warning"])
    assert logger.level == logging.WARNING
    assert len(logger.handlers) == 1
