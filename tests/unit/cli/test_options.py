"""Options: which source wins, and what cannot be used."""

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.base.errors import ConfigurationError
from eyewall.cli.options import OPTIONS, add_arguments, gather


def settings(folder, *args, env=None):
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_arguments(parser)
    return gather(vars(parser.parse_args(args)), env or {}, folder)


def test_the_command_line_wins_over_the_environment_the_file_and_the_default(tmp_path):
    found, _ = settings(tmp_path)
    assert (found["port"], found.sources["port"]) == (8888, "default")
    (tmp_path / "pyproject.toml").write_text("[tool.eyewall]\nport = 1\n")
    found, _ = settings(tmp_path)
    assert (found["port"], found.sources["port"]) == (1, str(tmp_path / "pyproject.toml"))
    found, _ = settings(tmp_path, env={"PORT": "2"})
    assert (found["port"], found.sources["port"]) == (2, "PORT")
    found, _ = settings(tmp_path, env={"PORT": "2", "EYEWALL_PORT": "3"})
    assert (found["port"], found.sources["port"]) == (3, "EYEWALL_PORT")
    found, _ = settings(tmp_path, "--port", "4", env={"PORT": "2"})
    assert (found["port"], found.sources["port"]) == (4, "command line")


def test_eyewall_toml_goes_before_pyproject_and_names_the_program(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.eyewall]\napp = "other:app"\n')
    assert settings(tmp_path)[1] == "other:app"
    (tmp_path / "eyewall.toml").write_text('app = "own:app"\nlog-format = "json"\n')
    found, target = settings(tmp_path)
    assert target == "own:app"
    assert found["log_format"] == "json"


def test_a_pyproject_of_another_tool_is_no_configuration(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.other]\nport = 1\n")
    assert settings(tmp_path)[0]["port"] == 8888


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", "there is no option 'prot'"),
        ('port = "1"', "port must be int, not '1'"),
        ("port = true", "port must be int"),
        ("access-log = 1", "access_log must be bool"),
        ("port = ", "eyewall.toml"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_the_reason(tmp_path, text, message):
    (tmp_path / "eyewall.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        settings(tmp_path)


@pytest.mark.parametrize(
    ("variable", "text"),
    [("PORT", "x"), ("EYEWALL_ACCESS_LOG", "maybe"), ("EYEWALL_LIMIT_BODY_BYTES", "soon")],
)
def test_a_variable_that_cannot_be_used_is_named(tmp_path, variable, text):
    with pytest.raises(ConfigurationError, match=variable):
        settings(tmp_path, env={variable: text})


@pytest.mark.parametrize(
    ("args", "name", "value"),
    [
        (["--uds", "/s"], "unix", "/s"),
        (["--graceful-timeout", "3"], "timeout_graceful_shutdown", 3.0),
        (["--trusted", "*"], "forwarded_allow_ips", "*"),
        (["-b", "a:1", "--bind", "b:2"], "bind", ["a:1", "b:2"]),
        (["--no-access-log"], "access_log", False),
        (["--limit-body-bytes", "5"], "limit_body_bytes", 5.0),
    ],
)
def test_the_spellings_that_other_servers_taught_are_known(tmp_path, args, name, value):
    assert settings(tmp_path, *args)[0][name] == value


def test_limits_are_handed_on_only_when_somebody_set_them(tmp_path):
    assert settings(tmp_path)[0].limits() == {}
    assert settings(tmp_path, "--limit-body-bytes", "5")[0].limits() == {"body_bytes": 5.0}


@given(option=st.sampled_from(OPTIONS), data=st.data())
def test_every_option_can_be_given_by_its_variable(tmp_path, option, data):
    texts = {
        bool: st.sampled_from(["1", "true", "YES", "on", "0", "false", "No", "off"]),
        int: st.integers(0, 65535).map(str),
        float: st.floats(0, 1e9, allow_nan=False).map(str),
        list: st.lists(st.from_regex(r"[a-z*./:]+", fullmatch=True), min_size=1).map(",".join),
        str: st.from_regex(r"[a-z]+", fullmatch=True),
    }
    text = data.draw(texts[option.kind])
    variable = f"EYEWALL_{option.name.upper()}"
    found, _ = settings(tmp_path, env={variable: text})
    assert found.sources[option.name] == variable
    value = found[option.name]
    assert isinstance(value, option.kind)
    if option.kind is list:
        assert ",".join(value) == text
    elif option.kind is bool:
        assert value is (text.lower() in {"1", "true", "yes", "on"})
    else:
        assert value == option.kind(text)
