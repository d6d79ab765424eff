"""`import tornado` gives eyewall.tornado's modules, by command and by patch."""

import importlib
import subprocess
import sys
import textwrap

import pytest

from eyewall.tornado.install import install, uninstall
from eyewall.tornado.names import HOMES


def run(code, *before, cwd=None):
    """Run a program in a process of its own; what it prints."""
    done = subprocess.run(
        [sys.executable, *before, *([] if code is None else ["-c", textwrap.dedent(code)])],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def installed():
    loaded = {name for name in sys.modules if name.partition(".")[0] == "tornado"}
    if loaded:
        pytest.skip("the real Tornado is loaded in this process")
    install()
    yield
    uninstall()


def test_modules_are_the_same_objects_under_both_names(installed):
    for name in ("web", "httputil", "gen", "ioloop", "platform.asyncio"):
        there = importlib.import_module(f"tornado.{name}")
        assert there is importlib.import_module(f"eyewall.tornado.{name}")
        assert there.__name__ == f"eyewall.tornado.{name}"
        assert there.__spec__.name == f"eyewall.tornado.{name}"


def test_a_name_that_is_not_there_is_not_taken_from_an_installed_tornado(installed):
    with pytest.raises(ModuleNotFoundError, match=r"tornado\.speedups"):
        importlib.import_module("tornado.speedups")


def test_installing_twice_is_installing_once(installed):
    before = list(sys.meta_path)
    install()
    assert sys.meta_path == before


def test_nothing_is_left_when_it_is_undone():
    if "tornado" in sys.modules:
        pytest.skip("the real Tornado is loaded in this process")
    install()
    importlib.import_module("tornado.web")
    uninstall()
    assert not [name for name in sys.modules if name.partition(".")[0] == "tornado"]


def test_a_tornado_that_was_imported_before_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "tornado", importlib.import_module("types"))
    with pytest.raises(RuntimeError, match=r"imported already.*before anything"):
        install()


def test_the_patch_works_from_inside_a_program():
    out = run(
        """
        import eyewall.tornado.patch
        import tornado.web, eyewall.tornado.web
        from tornado import gen
        print(tornado.web is eyewall.tornado.web, gen.__name__, tornado.version)
        """
    )
    assert out.split() == ["True", "eyewall.tornado.gen", "6.5.2"]


def test_a_program_runs_with_its_arguments_and_its_own_folder(tmp_path):
    (tmp_path / "helper.py").write_text("VALUE = 'from the folder'\n")
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, helper, tornado.escape\n"
        "print(__name__, sys.argv[1:], helper.VALUE, tornado.escape.utf8('x'))\n"
    )
    out = run(None, "-m", "eyewall.tornado", str(program), "--port=1", "a")
    assert out.strip() == "__main__ ['--port=1', 'a'] from the folder b'x'"


def test_a_module_runs_by_its_name(tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "job.py").write_text(
        "import sys, tornado.web\nprint(__name__, __package__, sys.argv[1:])\n"
    )
    out = run(None, "-m", "eyewall.tornado", "-m", "package.job", "b", cwd=tmp_path)
    assert out.strip() == "__main__ package ['b']"


@pytest.mark.parametrize(
    ("arguments", "code"), [([], 2), (["-m"], 2), (["no-such.py"], 2), (["--help"], 0)]
)
def test_a_command_line_without_a_program_is_explained(arguments, code):
    done = subprocess.run(
        [sys.executable, "-m", "eyewall.tornado", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code
    assert "usage:" in done.stderr or "there is no such file" in done.stderr


def test_submodules_are_imported_when_they_are_used():
    out = run(
        """
        import sys
        import eyewall.tornado as tornado
        before = "eyewall.tornado.web" in sys.modules
        tornado.web.RequestHandler
        print(before, "eyewall.tornado.web" in sys.modules)
        """
    )
    assert out.split() == ["False", "True"]


def test_every_module_of_the_table_that_is_there_can_be_imported():
    for name in HOMES:
        if importlib.util.find_spec(f"eyewall.tornado.{name}") is None:
            continue
        if name == "stack_context":
            sys.modules.pop("eyewall.tornado.stack_context", None)
            with pytest.warns(DeprecationWarning, match="does nothing"):
                importlib.import_module("eyewall.tornado.stack_context")
            continue
        importlib.import_module(f"eyewall.tornado.{name}")
