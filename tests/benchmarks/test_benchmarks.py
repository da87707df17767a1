"""The suite runs, and says numbers. How large they are is nothing for a test."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as program
from tests.benchmarks.__main__ import NAMES
from tests.benchmarks.row import Row, alone
from tests.conftest import ROOT

PARTS = {
    "__init__",
    "__main__",
    "measure",
    "epoch_times",
    "pictures",
    "row",
    "test_benchmarks",
    "test_row",
}
"""What is no program of its own; the others are benchmarks, or started by one."""


def test_every_benchmark_is_known_and_every_other_program_is_started_by_one() -> None:
    folder = ROOT / "tests" / "benchmarks"
    modules = {path.stem for path in folder.glob("*.py")} - PARTS
    assert set(NAMES) <= modules
    text = "".join((folder / f"{name}.py").read_text() for name in NAMES)
    assert {name for name in modules - set(NAMES) if name not in text} == set()


def test_an_unknown_benchmark_is_refused(tmp_path: Path) -> None:
    done = _run(tmp_path, "nothing")
    assert done.returncode == 2
    assert "no such benchmark: nothing; there are main_job" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_small_benchmark_gives_finite_numbers_in_both_files(tmp_path: Path) -> None:
    done = _run(tmp_path, "small")
    assert done.returncode == 0, done.stderr
    document = json.loads((tmp_path / "benchmarks.json").read_text(encoding="utf-8"))
    assert document["machine"]
    assert "dlcli" in document["versions"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", document["when"])
    assert document["failed"] == {}
    assert document["seconds"]["small"] > 0
    rows = document["benchmarks"]["small"]
    assert len(rows) == 2
    table = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert "| what | data | asked | measured |\n|---|---|---|---|\n" in table
    for row in rows:
        for side in (row, row["baseline"]):
            assert side["repeats"] == len(side["values"]) == 3
            assert all(math.isfinite(value) and value > 0 for value in side["values"])
            assert side["low"] <= side["median"] <= side["high"]
        assert row["unit"] == "s"
        assert 0 < row["ratio_low"] <= row["ratio"] <= row["ratio_high"] < math.inf
        line = f"| {row['what']} | {row['data']} |  | {row['measured']} |"
        assert line in table
        assert line in done.stdout


@pytest.fixture
def _check_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """`check` fails after a row, `small` does not."""

    def measured(name: str) -> Iterator[Row]:
        yield alone(f"{name}, a|b", [0.25, 0.5, 1.5], "s", data="a photo")
        if name == "check":
            raise RuntimeError("ValueError: no photos")

    monkeypatch.setattr(program, "measure", measured)


@pytest.mark.usefixtures("_check_fails")
def test_one_that_fails_is_named_in_both_files_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert program.main(["check", "small"]) == 1
    document = json.loads((tmp_path / "benchmarks.json").read_text(encoding="utf-8"))
    assert document["failed"] == {"check": "ValueError: no photos"}
    assert set(document["seconds"]) == {"check", "small"}
    assert [row["median"] for row in document["benchmarks"]["check"]] == [0.5]
    assert [row["what"] for row in document["benchmarks"]["small"]] == ["small, a|b"]
    table = (tmp_path / "benchmarks.md").read_text(encoding="utf-8").splitlines()
    text = "0.500 s (0.250-1.50, 3 repeats)"
    assert table[2:] == [
        "| what | data | asked | measured |",
        "|---|---|---|---|",
        f"| check, a\\|b | a photo |  | {text} |",
        f"| small, a\\|b | a photo |  | {text} |",
        "",
        "`check` failed: ValueError: no photos",
    ]
    assert "`check` failed: ValueError: no photos\n" in capsys.readouterr().out


@pytest.mark.usefixtures("_check_fails")
def test_what_had_ended_is_kept_when_a_run_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = program.measure

    def measured(name: str) -> Iterator[Row]:
        if name == "check":
            raise KeyboardInterrupt
        yield from ended(name)

    monkeypatch.setattr(program, "measure", measured)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        program.main(["small", "check"])
    document = json.loads((tmp_path / "benchmarks.json").read_text(encoding="utf-8"))
    assert list(document["benchmarks"]) == ["small"]
    assert "| small, a" in (tmp_path / "benchmarks.md").read_text(encoding="utf-8")


def test_the_error_of_a_process_comes_in_one_line() -> None:
    with pytest.raises(RuntimeError, match=r"^AttributeError: module .* has no attribute 'rows'$"):
        list(program.measure("row"))


def test_of_a_long_error_the_ends_are_named() -> None:
    error = RuntimeError("dlcli train: 1\nTraceback:\n  ...\nValueError: no photos\n")
    assert program.one_line(error) == "RuntimeError: dlcli train: 1: ValueError: no photos"
    assert program.one_line(ValueError()) == "ValueError"


def _run(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *names],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
