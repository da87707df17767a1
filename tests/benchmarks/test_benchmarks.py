"""The suite runs, and says numbers. How large they are is nothing for a test."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import NAMES
from tests.conftest import ROOT

PARTS = {
    "__init__",
    "__main__",
    "measure",
    "epoch_times",
    "pictures",
    "test_benchmarks",
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
    rows = document["benchmarks"]["small"]
    assert len(rows) == 2
    table = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    for row in rows:
        numbers = [float(text) for text in re.findall(r"\d+\.\d+", row["measured"])]
        assert len(numbers) == 3
        assert all(math.isfinite(number) and number > 0 for number in numbers)
        median, low, high = numbers
        assert low <= median <= high
        assert f"| {row['what']} | {row['at_least']} | {row['measured']} |" in table
        assert row["measured"] in done.stdout


def _run(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *names],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
