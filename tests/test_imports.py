"""What a command must not load: frameworks, and what is slow to import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import write_classes

FRAMEWORKS = {"keras", "tensorflow", "jax", "torch"}
HEAVY = FRAMEWORKS | {"sklearn", "scipy", "pydantic", "matplotlib", "rich"}


def imported_by(*args: object) -> set[str]:
    """The modules that a command imports, by their full names."""
    command = [sys.executable, "-X", "importtime", "-m", "dlcli", *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 5), done.stderr[-2000:]
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "|" in line}


def test_import_dlcli_loads_nothing_else() -> None:
    listed = "import sys; before = set(sys.modules); import dlcli; print(set(sys.modules) - before)"
    done = subprocess.run(
        [sys.executable, "-c", listed], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "{'dlcli'}"


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["train", "--help"]])
def test_help_loads_nothing_heavy(args: list[str]) -> None:
    imported = imported_by(*args)
    assert "typer" in imported
    assert not imported & (HEAVY | {"numpy", "PIL"})


def test_init_loads_no_framework(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "data", {"a": 2, "b": 2})
    imported = imported_by("init", folder, "-o", tmp_path / "spec.yaml")
    assert "dlcli.data.index" in imported
    assert not imported & HEAVY


def test_predict_loads_litert_and_nothing_heavier(trained_run: Path, animals: Path) -> None:
    picture = next((animals / "cat").iterdir())
    imported = imported_by("predict", picture, "--run", trained_run)
    assert "ai_edge_litert.interpreter" in imported
    assert not imported & HEAVY


def test_evaluate_loads_no_framework(trained_run: Path) -> None:
    imported = imported_by("evaluate", "--run", trained_run)
    assert "ai_edge_litert.interpreter" in imported
    assert not imported & FRAMEWORKS


def test_training_a_head_loads_no_framework(
    trained_run: Path, animals: Path, tmp_path: Path
) -> None:
    assert trained_run.exists()  # the body is converted by now, in a process of its own
    imported = imported_by("train", animals, "--effort", "quick", "--runs-dir", tmp_path)
    assert "sklearn.linear_model" in imported
    assert not imported & FRAMEWORKS
