"""Which files count, and that their changes are seen with and without the system's help."""

import asyncio
import os
import sys

import pytest

from eyewall.ops.reload.watcher import Watched, changes, look


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("app.py", True),
        ("templates/page.html", True),
        ("notes.sql", False),
        ("deep/er/schema.sql", False),
        (".venv/lib/app.py", False),
        ("node_modules/x/index.js", False),
    ],
)
def test_sources_count_and_folders_of_tools_do_not(tmp_path, name, counts):
    watched = Watched([str(tmp_path)])
    assert watched.matches(str(tmp_path / name)) is counts
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("x")
    assert list(watched.files()) == ([str(tmp_path / name)] if counts else [])


def test_patterns_add_and_take_away(tmp_path):
    watched = Watched([str(tmp_path)], include=["*.sql"], exclude=["generated/*", "test_*"])
    below = {
        "schema.sql": True,
        "app.py": True,
        "generated/app.py": False,
        "a/test_app.py": False,
    }
    for name, counts in below.items():
        assert watched.matches(str(tmp_path / name)) is counts


def test_a_program_that_lies_below_a_folder_of_such_a_name_is_watched_all_the_same(tmp_path):
    """The folders above the watched one once decided too, so nothing was watched there."""
    folder = tmp_path / "target" / "site"
    assert Watched([str(folder)]).matches(str(folder / "app.py"))


def test_a_file_elsewhere_does_not_count(tmp_path):
    assert not Watched([str(tmp_path / "a")]).matches(str(tmp_path / "b" / "app.py"))


@pytest.fixture(params=["watchfiles", "looking"])
def found(request, monkeypatch):
    """Changes as a function of what is watched, by either means."""
    if request.param == "looking":
        monkeypatch.setitem(sys.modules, "watchfiles", None)
        return lambda watched: look(watched, period_s=0.01)
    pytest.importorskip("watchfiles")
    return changes


@pytest.mark.parametrize("change", ["written", "removed", "new"])
def test_a_change_is_seen(run, tmp_path, found, change):
    file = tmp_path / "app.py"
    if change != "new":
        file.write_text("1")
        os.utime(file, ns=(1, 1))

    async def main():
        stream = found(Watched([str(tmp_path)], exclude=["unseen*"]))
        waiting = asyncio.ensure_future(anext(stream))
        # The files as they were are taken in before this, or in the first step of the stream.
        await asyncio.sleep(0)
        (tmp_path / "unseen.py").write_text("1")
        if change == "removed":
            file.unlink()
        else:
            file.write_text("2")
        assert await waiting == {str(file)}
        await stream.aclose()

    run(main)
