"""`train --refit`: the model that ships has seen all pictures, and says so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Command, write_classes
from tests.e2e.test_bad_input import one_sentence

LAYERS = "[rescaling: {scale: 0.01}, flatten, {dense: {units: 8, activation: relu}}]"
NETWORK = (
    "--set", f"model.layers={LAYERS}", "--set", "data.image_size=16", "--set", "train.epochs=3",
)  # fmt: skip


@pytest.fixture(scope="module")
def refitted(
    tmp_path_factory: pytest.TempPathFactory, animals: Path, trained_run: Path, dlcli: Command
) -> Path:
    """The same training as `trained_run`, and once more."""
    runs = tmp_path_factory.mktemp("refit")
    done = dlcli("train", animals, "--runs-dir", runs, "--refit", "--json")
    assert done.returncode == 0, done.stderr
    assert "refit: once more on all 150 pictures" in done.stderr
    document = json.loads(done.stdout)
    assert document["model"]["refit"] is True
    assert document["seconds"]["refit"] > 0
    stored = json.loads((trained_run / "metrics.json").read_text())
    assert {part: document[part] for part in ("val", "test")} == {
        part: stored[part] for part in ("val", "test")
    }
    return runs / "animals-1"


def test_the_numbers_stay_and_the_head_is_another(refitted: Path, trained_run: Path) -> None:
    for name in ("metrics.json", "history.csv", "model/body.tflite"):
        assert (refitted / name).read_bytes() == (trained_run / name).read_bytes(), name
    assert "before it was trained once more" in (refitted / "report.html").read_text("utf-8")
    assert "trained once more" not in (trained_run / "report.html").read_text("utf-8")
    heads = [np.load(run / "model" / "head.npz") for run in (refitted, trained_run)]
    assert not np.array_equal(heads[0]["weights"], heads[1]["weights"])
    assert heads[0]["temperature"] == heads[1]["temperature"]


def test_it_cannot_be_measured_with_what_it_has_seen(
    refitted: Path, animals: Path, dlcli: Command
) -> None:
    for split in ((), ("--split", "val")):
        done = dlcli("evaluate", "--run", refitted, *split)
        one_sentence(done, 2, "--refit", "has not seen", "metrics.json")
    done = dlcli("evaluate", animals, "--run", refitted, "--json")
    assert done.returncode == 0, done.stderr
    assert "150 of these 150 pictures were trained on" in done.stderr


def test_the_report_says_whose_numbers_these_are(refitted: Path, dlcli: Command) -> None:
    done = dlcli("train", "--resume", refitted)
    assert done.returncode == 0, done.stderr
    assert "then trained once more, on all 150 pictures" in done.stdout


def test_a_time_that_it_would_not_keep_is_refused(
    animals: Path, tmp_path: Path, dlcli: Command
) -> None:
    done = dlcli("train", animals, "--runs-dir", tmp_path, "--refit", "--max-time", "10m")
    one_sentence(done, 2, "--refit", "train.max_time", "Leave one")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_network_is_trained_anew(tmp_path: Path, dlcli: Command) -> None:
    pets = write_classes(tmp_path / "pets", {"cat": 20, "dog": 20})
    for name, more in (("plain", ()), ("refit", ("--refit",))):
        done = dlcli("train", pets, "--runs-dir", tmp_path, "--name", name, *NETWORK, *more)
        assert done.returncode == 0, done.stderr
    runs = [tmp_path / name for name in ("plain", "refit")]
    for name in ("metrics.json", "history.csv"):
        assert (runs[0] / name).read_bytes() == (runs[1] / name).read_bytes(), name
    bodies = [(run / "model" / "body.tflite").read_bytes() for run in runs]
    assert bodies[0] != bodies[1]
    picture = pets / "cat" / "000.png"
    answers = [json.loads(dlcli("predict", picture, "--run", run, "--json").stdout) for run in runs]
    assert answers[0]["probability"] != answers[1]["probability"]
