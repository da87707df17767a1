"""dlcli train --tensorboard and --mlflow, as a user runs them."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest

from dlcli.runs.files import read_csv
from tests.conftest import ROOT, Command

LAYERS = """
data: {image_size: 32}
model:
  layers:
    - rescaling: 0.00392
    - conv2d: {filters: 8, kernel_size: 3, strides: 4}
    - relu
    - global_average_pooling2d
train: {epochs: 2}
"""


def logged(store: Path) -> dict[str, list[float]]:
    """Every metric of the only run in a store, by step."""
    with sqlite3.connect(store) as database:
        found = database.execute("SELECT key, value FROM metrics ORDER BY key, step").fetchall()
        assert database.execute("SELECT status FROM runs").fetchall() == [("FINISHED",)]
    numbers: dict[str, list[float]] = {}
    for key, value in found:
        numbers.setdefault(key, []).append(value)
    return numbers


@pytest.mark.parametrize("stage", ["head", "all layers"])
def test_what_the_history_says_is_what_is_logged(
    stage: str, dlcli: Command, animals: Path, tmp_path: Path
) -> None:
    for extra in ("tensorboard", "mlflow"):
        pytest.importorskip(extra, reason="the extra is not installed")
    from tests.watch.test_tensorboard import read

    spec = tmp_path / "spec.yaml"
    spec.write_text(LAYERS if stage == "all layers" else "")
    store = tmp_path / "mlflow.db"
    command = ("train", animals, "--spec", spec, "--runs-dir", tmp_path, "--name", "one")
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{store}"}
    done = dlcli(*command, "--tensorboard", "--mlflow", "--json", "--quiet", env=environment)
    assert done.returncode == 0, done.stderr
    rows = read_csv(tmp_path / "one" / "history.csv")
    assert len(rows) == (2 if stage == "all layers" else 1)
    numbers = logged(store)
    shown = read(tmp_path / "one" / "tensorboard" / stage)
    columns = [name for name in ("loss", "accuracy", "val_loss", "val_accuracy") if rows[0][name]]
    assert len(columns) == (4 if stage == "all layers" else 2)
    for column in columns:
        expected = pytest.approx([float(row[column]) for row in rows], abs=1e-5)
        assert [value for _, value in shown[column]] == expected
        assert numbers[f"{stage}/{column}"] == expected
    result = json.loads(done.stdout)
    assert numbers["test_accuracy"] == [result["test"]["accuracy"]]
    assert all(line.startswith(" warning: ") for line in done.stderr.splitlines())


@pytest.mark.parametrize("package", ["tensorboard", "mlflow"])
def test_without_its_package_an_option_ends_with_the_command_that_installs_it(
    package: str, dlcli: Command, tmp_path: Path
) -> None:
    (tmp_path / f"{package}.py").write_text("raise ImportError('not here')\n")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = dlcli("train", tmp_path / "absent", f"--{package}", cwd=tmp_path, env=environment)
    assert (done.returncode, done.stdout) == (7, "")
    assert done.stderr == (
        f"--{package}: this needs {package}, which is not installed. "
        f"pip install 'dlcli-vision[{package}]'\n"
    )
    assert not (tmp_path / "runs").exists()
