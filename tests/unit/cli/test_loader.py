"""From `module:attribute` to an application, and the one line when there is none."""

import itertools
import sys

import pytest

from eyewall.base.errors import StartupError
from eyewall.cli.loader import load

_numbers = itertools.count()


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module of a name of its own; returns the name."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    written = []

    def module(text):
        name = f"loaded_{next(_numbers)}"
        (tmp_path / f"{name}.py").write_text(text)
        written.append(name)
        return name

    yield module
    for name in written:
        sys.modules.pop(name, None)


def test_an_attribute_may_lie_deeper(module, tmp_path):
    name = module("class site:\n    def app(exchange): return 7\n")
    assert load(f"{name}:site.app", app_dir=str(tmp_path))(None) == 7


@pytest.mark.parametrize("attribute", ["app", "application", "make_app"])
def test_the_usual_names_are_found_by_themselves(module, tmp_path, attribute):
    body = "return lambda exchange: 7" if attribute == "make_app" else "return 7"
    name = module(f"def {attribute}(*exchange): {body}\n")
    assert load(name, app_dir=str(tmp_path))(None) == 7


def test_a_factory_is_called(module, tmp_path):
    name = module("def build(): return lambda exchange: 7\n")
    assert load(f"{name}:build", app_dir=str(tmp_path), factory=True)(None) == 7


@pytest.mark.parametrize("file", ["app.py", "main.py"])
def test_without_a_target_app_and_main_are_looked_for(tmp_path, monkeypatch, file):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    name = file.removesuffix(".py")
    monkeypatch.delitem(sys.modules, name, raising=False)
    (tmp_path / file).write_text("def app(exchange): return 7\n")
    assert load(None, app_dir=str(tmp_path))(None) == 7
    monkeypatch.delitem(sys.modules, name)


def test_without_a_target_and_a_file_the_files_are_named(tmp_path):
    with pytest.raises(StartupError, match=r"there is no app\.py or main\.py"):
        load(None, app_dir=str(tmp_path))


@pytest.mark.parametrize(
    ("text", "attribute", "factory", "message"),
    [
        ("def app(): pass", ":nothing", False, "has no attribute 'nothing'"),
        ("x = 1", "", False, "has none of app, application, make_app"),
        ("app = 7", ":app", False, "is int, which is no application"),
        ("app = 7", ":app", True, "no function, but --factory"),
        ("\ndef make_app():\n    1 / 0", ":make_app", False, r"\.py:3: ZeroDivisionError"),
        ("\nimport nothing_of_that_name", ":app", False, r"\.py:2: ModuleNotFoundError"),
        ("\n\ndef broken(:", ":app", False, r"\.py:3: invalid syntax"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(module, tmp_path, text, attribute, factory, message):
    name = module(text)
    with pytest.raises(StartupError, match=message) as caught:
        load(f"{name}{attribute}", app_dir=str(tmp_path), factory=factory)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("nothing_of_that_name:app", "there is no module 'nothing_of_that_name'"),
        ("nothing.of_that.name:app", "there is no module 'nothing.of_that.name'"),
        (":app", "names no module"),
        ("folder/site.py:app", "site:app with --app-dir folder"),
        (".relative:app", "names no module"),
    ],
)
def test_a_target_that_cannot_be_meant_is_answered_with_the_right_form(tmp_path, target, message):
    with pytest.raises(StartupError, match=message):
        load(target, app_dir=str(tmp_path))
