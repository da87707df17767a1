"""What those who watch a training are told of its run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlcli.artifact import ModelFacts
from dlcli.commands.train_result import TrainResult
from dlcli.commands.watching import run_completed, run_opened, with_listeners
from dlcli.events import NullReporter, Said
from dlcli.metrics.report import Report, make_report
from dlcli.runs.run import create_run
from dlcli.spec.loader import load_spec
from tests.commands.test_plan import Recorder


def report(*probabilities: float) -> Report:
    """On pictures of class a, which get these probabilities."""
    first = np.array(probabilities, np.float32)
    return make_report(np.stack([first, 1 - first], 1), np.zeros(len(first), np.int64), ("a", "b"))


def result(test: Report | None) -> TrainResult:
    return TrainResult(
        run=Path("runs/a-1"),
        status="completed",
        classes=("a", "b"),
        num_images={},
        skipped=(),
        stages=(),
        best_epoch=1,
        val=report(0.9, 0.4),
        test=test,
        seconds={"total": 12.5},
        model=ModelFacts("efficientnet-lite0", "imagenet", 10, 5),
    )


def test_the_numbers_of_the_end_bear_the_names_of_their_split() -> None:
    closed = run_completed(result(report(0.9, 0.8, 0.1, 0.7)))
    assert closed.status == "completed"
    assert closed.numbers["val_accuracy"] == 0.5
    assert closed.numbers["test_accuracy"] == 0.75
    assert closed.numbers["val_log_loss"] == pytest.approx(-(np.log(0.9) + np.log(0.4)) / 2)
    assert closed.numbers["seconds"] == 12.5


def test_without_test_pictures_there_are_no_numbers_of_them() -> None:
    assert not [name for name in run_completed(result(None)).numbers if name.startswith("test")]


def test_what_is_trained_and_how_is_told(tmp_path: Path) -> None:
    run = create_run(tmp_path, "a", None, {})
    opened = run_opened(run, load_spec(None, ["train.seed=3", "data.folder=secret"]))
    assert opened.folder == tmp_path / "a-1"
    assert opened.started == run.describe()["started"]
    assert opened.settings["train"]["seed"] == 3
    assert opened.settings["model"]["backbone"] == "efficientnet-lite0"
    assert set(opened.settings) == {"model", "train"}


def test_without_listeners_the_reporter_stands_alone() -> None:
    reporter = NullReporter()
    assert with_listeners(reporter, tensorboard=False, mlflow=False) is reporter


def test_where_mlflow_logs_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("mlflow", "sqlalchemy"):
        pytest.importorskip(package, reason="the extra is not installed")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    recorder = Recorder()
    everybody = with_listeners(recorder, tensorboard=False, mlflow=True)
    everybody.report(Said("hello"))
    where = Said(f"MLflow logs to sqlite:///{tmp_path}/mlflow.db")
    assert recorder.events == [where, Said("hello")]
