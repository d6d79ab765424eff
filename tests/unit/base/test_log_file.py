"""Log files: rotated by others, and on full disks."""

import logging

import pytest

from eyewall.base.errors import StartupError
from eyewall.base.log_file import LogFile, reopen_log_files


@pytest.fixture
def logger():
    logger = logging.getLogger("tests.log_file")
    logger.propagate = False
    yield logger
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)
        handler.close()


def test_a_reopened_file_is_written_under_its_path_again(logger, tmp_path):
    path = tmp_path / "log"
    logger.addHandler(LogFile(str(path)))
    logger.error("first")
    path.rename(tmp_path / "log.1")
    logger.error("second")
    assert reopen_log_files() == 1
    logger.error("third")
    assert (tmp_path / "log.1").read_text() == "first\nsecond\n"
    assert path.read_text() == "third\n"


def test_a_full_disk_is_told_once_and_what_is_missing_is_counted(logger, tmp_path, capsys):
    path = tmp_path / "log"
    path.symlink_to("/dev/full")
    logger.addHandler(LogFile(str(path)))
    for number in range(5):
        logger.error("lost %d", number)
    assert capsys.readouterr().err.count("No space left on device") == 1
    path.unlink()
    logger.error("kept")
    assert path.read_text().splitlines() == [
        "kept",
        "5 log lines before this one could not be written",
    ]
    logger.error("more")
    assert path.read_text().endswith("more\n")
    assert capsys.readouterr().err == ""


def test_a_folder_that_is_gone_at_a_reopening_loses_lines_and_nothing_else(
    logger, tmp_path, capsys
):
    folder = tmp_path / "logs"
    folder.mkdir()
    logger.addHandler(LogFile(str(folder / "log")))
    (folder / "log").unlink()
    folder.rmdir()
    reopen_log_files()
    logger.error("lost")
    assert "No such file or directory" in capsys.readouterr().err
    folder.mkdir()
    logger.error("kept")
    assert (folder / "log").read_text().startswith("kept\n1 log lines")


def test_a_file_that_cannot_be_opened_is_named_at_the_start(tmp_path):
    with pytest.raises(StartupError, match="cannot log to .*Is a directory"):
        LogFile(str(tmp_path))
