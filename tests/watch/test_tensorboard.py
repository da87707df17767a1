"""Event files, read back as TensorBoard does."""

from __future__ import annotations

import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlcli.events import EpochEnded, Event, HeadFitted, RunClosed, RunOpened, Said

pytest.importorskip("tensorboard", reason="the extra is not installed")

from dlcli.watch.tensorboard import TensorBoardListener

EPOCHS = (
    EpochEnded("all layers", 1, 3, 0.9, 0.8, 0.5, accuracy=0.4, learning_rate=1e-3),
    EpochEnded("all layers", 2, 3, 0.7, 0.6, 0.75, accuracy=0.6, learning_rate=1e-4),
)


def listen(run: Path, *events: Event, closed: bool = True) -> TensorBoardListener:
    listener = TensorBoardListener()
    for event in (RunOpened(run, "today"), *events, *([RunClosed("completed")] if closed else [])):
        listener.report(event)
    return listener


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Steps and values of each scalar, by TensorBoard's own reader; it would load TensorFlow where
    that is installed, and is as good without."""
    with pytest.MonkeyPatch.context() as patch:
        without_tensorflow = "tensorboard.compat.notf"
        patch.setitem(sys.modules, without_tensorflow, types.ModuleType(without_tensorflow))
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        found: Any = EventAccumulator(str(folder)).Reload()
        return {
            tag: [(event.step, event.value) for event in found.Scalars(tag)]
            for tag in found.Tags()["scalars"]
        }


def near(*values: float) -> list[Any]:
    return [(step, pytest.approx(value)) for step, value in enumerate(values, 1)]


def test_every_epoch_s_numbers_are_read_back(tmp_path: Path) -> None:
    listen(tmp_path, Said("hello"), *EPOCHS)
    assert read(tmp_path / "tensorboard" / "all layers") == {
        "loss": near(0.9, 0.7),
        "accuracy": near(0.4, 0.6),
        "val_loss": near(0.8, 0.6),
        "val_accuracy": near(0.5, 0.75),
        "learning_rate": near(1e-3, 1e-4),
    }


def test_each_stage_is_a_run_of_its_own(tmp_path: Path) -> None:
    listen(tmp_path, HeadFitted("head, with mirror images", 0.3, 0.9), *EPOCHS)
    folders = sorted(path.name for path in (tmp_path / "tensorboard").iterdir())
    assert folders == ["all layers", "head, with mirror images"]
    head = read(tmp_path / "tensorboard" / "head, with mirror images")
    assert head == {"val_loss": near(0.3), "val_accuracy": near(0.9)}


def test_an_epoch_is_there_as_soon_as_it_is_over(tmp_path: Path) -> None:
    listen(tmp_path, EPOCHS[0], closed=False)
    assert read(tmp_path / "tensorboard" / "all layers")["loss"] == near(0.9)


def test_a_training_that_goes_on_doubles_no_epoch(tmp_path: Path) -> None:
    late = replace(EPOCHS[1], val_accuracy=0.1)
    listen(tmp_path, EPOCHS[0], late, closed=False)
    listen(tmp_path, EPOCHS[1], replace(EPOCHS[1], epoch=3, val_accuracy=0.8))
    folder = tmp_path / "tensorboard" / "all layers"
    assert len(list(folder.iterdir())) == 2
    assert read(folder)["val_accuracy"] == near(0.5, 0.75, 0.8)


def test_a_stage_that_begins_anew_forgets_what_it_did(tmp_path: Path) -> None:
    listen(tmp_path, *EPOCHS, replace(EPOCHS[0], loss=3.0))
    assert read(tmp_path / "tensorboard" / "all layers")["loss"] == near(3.0)


def test_without_an_epoch_nothing_is_written(tmp_path: Path) -> None:
    listen(tmp_path, Said("hello"))
    assert not list(tmp_path.iterdir())


def test_tensorflow_stays_unloaded(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from dlcli.events import HeadFitted, RunOpened
from dlcli.watch.tensorboard import TensorBoardListener
listener = TensorBoardListener()
listener.report(RunOpened(Path({str(tmp_path)!r}), "today"))
listener.report(HeadFitted("head", 0.3, 0.9))
print({{"tensorflow", "keras", "tensorboard"}} & set(sys.modules))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "{'tensorboard'}"
    assert done.stderr == ""
    assert (tmp_path / "tensorboard" / "head").is_dir()
