"""How a run's files come into being."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path

import pytest

from dlcli.runs import files
from tests.conftest import is_root

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes")

AWKWARD = [
    "plain",
    "a,b",
    'say "cheese"',
    "two\nlines",
    "two\r\nlines",
    "old\rmac",
    " spaces ",
    "tab\there",
    "back\\slash",
    "日本 é",
    "no utf-8 \udcff\udc80",
    "'",
    "",
]


def test_a_file_holds_what_was_written(tmp_path: Path) -> None:
    files.write_atomic(tmp_path / "a", b"one")
    files.write_atomic(tmp_path / "a", b"two\x00\xff")
    assert (tmp_path / "a").read_bytes() == b"two\x00\xff"
    assert os.listdir(tmp_path) == ["a"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write_atomic(tmp_path / "a", b"new" * 1000)
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"old")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write_atomic(tmp_path / "a", b"new")
    assert os.listdir(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


def test_a_folder_in_the_way_is_an_error_and_no_temporary_file_stays(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(OSError, match="a"):
        files.write_atomic(tmp_path / "a", b"new")
    assert os.listdir(tmp_path) == ["a"]


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.write_atomic(tmp_path / "none" / "a", b"new")
    assert os.listdir(tmp_path) == []


@posix_only
def test_a_read_only_folder_is_an_error(tmp_path: Path) -> None:
    if is_root():
        pytest.skip("permissions mean nothing to root")
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(PermissionError):
            files.write_atomic(tmp_path / "a", b"new")
    finally:
        tmp_path.chmod(0o755)


@posix_only
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_the_mode_of_a_file_follows_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        files.write_atomic(tmp_path / "a", b"")
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode
        assert os.umask(umask) == umask
    finally:
        os.umask(before)


def test_text_is_utf8_with_newlines_as_they_are(tmp_path: Path) -> None:
    files.write_text(tmp_path / "a", "é\n\udcff\r\n")
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa9\n\xff\r\n"


def test_json_is_ascii_and_read_back_as_it_was(tmp_path: Path) -> None:
    document = {"é": ["\udcff", None, 1.5, True], "b": {}}
    files.write_json(tmp_path / "a", document)
    content = (tmp_path / "a").read_bytes()
    assert content.isascii()
    assert content.endswith(b"}\n")
    assert json.loads(content) == document


@pytest.mark.parametrize("value", AWKWARD)
def test_a_csv_field_is_read_back_as_it_was(tmp_path: Path, value: str) -> None:
    files.write_csv(tmp_path / "a", ("path", "label"), [(value, "cat"), ("x", value)])
    assert files.read_csv(tmp_path / "a") == [
        {"path": value, "label": "cat"},
        {"path": "x", "label": value},
    ]


def test_a_csv_file_without_rows_has_its_header(tmp_path: Path) -> None:
    files.write_csv(tmp_path / "a", ("path", "label"), [])
    assert (tmp_path / "a").read_bytes() == b"path,label\n"
    assert files.read_csv(tmp_path / "a") == []


def test_numbers_and_truth_are_written_as_python_says_them(tmp_path: Path) -> None:
    files.write_csv(tmp_path / "a", ("n", "x", "b"), [(1, 0.5, True)])
    assert (tmp_path / "a").read_text() == "n,x,b\n1,0.5,True\n"
