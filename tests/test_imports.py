"""What a command must not load: frameworks, and what is slow to import."""

from __future__ import annotations

import shutil
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
    listed = (
        "import sys; before = {'__future__', *sys.modules}; import dlcli; "
        "print(set(sys.modules) - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", listed], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "{'dlcli'}"


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["train", "--help"]])
def test_help_loads_nothing_heavy(args: list[str]) -> None:
    imported = imported_by(*args)
    assert "typer" in imported
    assert not imported & (HEAVY | {"numpy", "PIL"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_classes(tmp_path / "data", {"a": 2, "b": 2})


def test_init_of_a_folder_loads_nothing_heavy(folder: Path, tmp_path: Path) -> None:
    imported = imported_by("init", folder, "-o", tmp_path / "spec.yaml")
    assert "dlcli.data.census" in imported
    assert not imported & HEAVY


@pytest.mark.parametrize(
    ("args", "module"),
    [(["init", "--list"], "dlcli.commands.init"), (["models"], "dlcli.models.registry")],
)
def test_lists_load_nothing_heavy(args: list[str], module: str) -> None:
    imported = imported_by(*args)
    assert module in imported
    assert not imported & (HEAVY | {"numpy", "PIL"})


def test_what_is_kept_is_listed_without_a_framework(tmp_path: Path) -> None:
    for args in (["runs", "--runs-dir", tmp_path], ["cache"]):
        imported = imported_by(*args)
        assert f"dlcli.commands.{args[0]}" in imported
        assert not imported & HEAVY


def test_the_schema_loads_no_framework() -> None:
    imported = imported_by("init", "--schema")
    assert "pydantic" in imported
    assert not imported & FRAMEWORKS


def test_a_dry_run_of_a_head_loads_no_framework(folder: Path, tmp_path: Path) -> None:
    imported = imported_by("train", folder, "--dry-run", "--runs-dir", tmp_path / "runs")
    assert "dlcli.commands.plan" in imported
    assert not imported & (FRAMEWORKS | {"sklearn", "scipy"})


def test_reading_and_checking_a_spec_loads_no_framework() -> None:
    """Templates are read in full, and so is a spec full of faults."""
    script = """
import sys
from importlib import resources
from pathlib import Path
from dlcli.errors import SpecError
from dlcli.spec.loader import load_spec
templates = [path for path in resources.files("dlcli.spec").joinpath("templates").iterdir()]
for path in templates:
    load_spec(Path(str(path)))
try:
    load_spec(None, ["model.layers=[{conv2d: {filterz: 3}}, {dense: 3}]", "train.optimizer=adm"])
except SpecError as error:
    print(len(templates), len(error.faults) > 1, *sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    count, is_faulty, *imported = done.stdout.split()
    assert (int(count), is_faulty) == (6, "True")
    assert "dlcli.spec.vocabulary" in imported
    assert not set(imported) & FRAMEWORKS


def test_predict_loads_litert_and_nothing_heavier(trained_run: Path, animals: Path) -> None:
    picture = next((animals / "cat").iterdir())
    imported = imported_by("predict", picture, "--run", trained_run)
    assert "ai_edge_litert.interpreter" in imported
    assert not imported & HEAVY


def test_evaluate_loads_no_framework(trained_run: Path) -> None:
    imported = imported_by("evaluate", "--run", trained_run)
    assert "ai_edge_litert.interpreter" in imported
    assert not imported & (FRAMEWORKS | {"matplotlib", "jinja2"})


def test_a_page_is_drawn_without_a_framework(trained_run: Path, tmp_path: Path) -> None:
    imported = imported_by("evaluate", "--run", trained_run, "--report", tmp_path / "r.html")
    assert {"matplotlib.figure", "jinja2"} <= imported
    assert not imported & (FRAMEWORKS | {"matplotlib.pyplot", "pydantic"})


def test_keras_does_not_bring_matplotlib() -> None:
    script = """
import sys
from dlcli import backend
backend.prepare()
from dlcli.backend import keras
print(keras.__name__, *(name for name in sys.modules if name.startswith("matplotlib")))
import matplotlib.figure
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["keras"]


def test_gates_and_a_baseline_load_no_framework(trained_run: Path) -> None:
    gates = ("--baseline", trained_run, "--max-drop", "0", "--min", "num_images=1")
    imported = imported_by("evaluate", "--run", trained_run, *gates)
    assert "dlcli.metrics.paired" in imported
    assert not imported & FRAMEWORKS


def test_compare_loads_no_framework(trained_run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(trained_run, tmp_path / "copy")
    imported = imported_by("compare", trained_run, copy)
    assert "ai_edge_litert.interpreter" in imported
    assert not imported & FRAMEWORKS


def test_training_a_head_loads_no_framework(
    trained_run: Path, animals: Path, tmp_path: Path
) -> None:
    assert trained_run.exists()  # the body is converted by now, in a process of its own
    imported = imported_by("train", animals, "--effort", "quick", "--runs-dir", tmp_path)
    assert "sklearn.linear_model" in imported
    assert not imported & FRAMEWORKS


def test_event_files_are_written_without_a_framework(
    trained_run: Path, animals: Path, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard", reason="the extra is not installed")
    assert trained_run.exists()  # the body is converted by now, in a process of its own
    imported = imported_by("train", animals, "--tensorboard", "--runs-dir", tmp_path)
    assert "dlcli.watch.tensorboard" in imported
    assert not imported & FRAMEWORKS
