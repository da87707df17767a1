"""Where rows go: a file is there whole, or what was written of it stands beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcli.ui.answer_rows import PARTIAL, rows_to


def test_rows_go_to_stdout_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with rows_to(None) as write:
        write("a")
        assert capsys.readouterr().out == "a\n"
        write("é")
    assert capsys.readouterr().out == "é\n"


def test_a_file_is_there_when_all_is_written(tmp_path: Path) -> None:
    file = tmp_path / "answers.tsv"
    with rows_to(file) as write:
        write("a\tcaf\udce9")
        assert not file.exists()
        write("b")
    assert file.read_bytes() == b"a\tcaf\xe9\nb\n"
    assert list(tmp_path.iterdir()) == [file]


def test_what_was_written_before_an_error_stays_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "answers.tsv"
    file.write_text("older\n")
    partial = tmp_path / f"answers.tsv{PARTIAL}"
    with pytest.raises(KeyboardInterrupt):
        _write_and_fail(file)
    assert file.read_text() == "older\n"
    assert partial.read_text() == "a\n"
    assert str(partial) in capsys.readouterr().err


def _write_and_fail(file: Path) -> None:
    with rows_to(file) as write:
        write("a")
        raise KeyboardInterrupt


def test_nothing_is_left_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), rows_to(tmp_path / "answers.tsv"):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())
