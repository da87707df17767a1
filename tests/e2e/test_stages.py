"""`train.stages`: a head, then the layers below it, from a shell."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.conftest import Command, write_classes
from tests.e2e.test_bad_input import one_sentence

STAGES = (
    "train.stages=[{trainable: head}, {trainable: {last: 1}, epochs: 2, views: 2},"
    " {trainable: all, epochs: 1}]"
)
OPTIONS = ("--set", "data.image_size=32", "--set", STAGES, "--set", "train.batch_size=8")


@pytest.fixture(scope="module")
def pets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes, a fifth of two of them in the wrong one: no model is right everywhere."""
    folder = write_classes(
        tmp_path_factory.mktemp("stages") / "pets", {"cat": 30, "cow": 30, "dog": 30}
    )
    for number in range(6):
        for label, wrong in (("cat", "dog"), ("dog", "cat")):
            (folder / label / f"{number:03}.png").rename(folder / wrong / f"wrong{number}.png")
    return folder


@pytest.fixture(scope="module")
def trained(pets: Path, dlcli: Command) -> Path:
    runs = pets.parent / "runs"
    done = dlcli("train", pets, "--runs-dir", runs, "--name", "staged", *OPTIONS, "--json")
    assert done.returncode == 0, done.stderr
    assert "the last block from kept activations of 2 views for 2 epochs" in done.stderr
    document = json.loads(done.stdout)
    assert [stage["name"] for stage in document["stages"]][-2:] == ["last block", "all layers"]
    return runs / "staged"


@pytest.mark.slow
def test_the_stages_stand_in_the_runs_files(trained: Path) -> None:
    rows = [line.split(",") for line in (trained / "history.csv").read_text().splitlines()]
    stages = [row[1] for row in rows[1:]]
    assert stages[0] == "head"
    assert stages[-3:] == ["last block", "last block", "all layers"]
    assert sum(row[-1] == "True" for row in rows) == 1
    first = (trained / "spec.yaml").read_text().splitlines()[0]
    assert first.startswith("# plan: a head on the features")
    assert not (trained / "checkpoint").exists()


@pytest.mark.slow
def test_the_run_is_a_run_like_any_other(trained: Path, dlcli: Command) -> None:
    runs = trained.parent
    done = dlcli("evaluate", "--run", trained, "--json")
    assert done.returncode == 0, done.stderr
    stored = json.loads((trained / "metrics.json").read_text())["test"]
    assert json.loads(done.stdout)["report"]["confusion_matrix"] == stored["confusion_matrix"]
    exported = dlcli("export", "--run", trained, "--format", "keras", "-o", runs / "out", "--json")
    assert exported.returncode == 0, exported.stderr
    assert json.loads(exported.stdout)["parity"]["passed"]
    again = dlcli("train", trained / "spec.yaml", "--runs-dir", runs, "--name", "again")
    assert again.returncode == 0, again.stderr
    for name in ("history.csv", "model/head.npz", "model/body.tflite"):
        assert (runs / "again" / name).read_bytes() == (trained / name).read_bytes(), name


def test_what_a_few_pictures_leave_idle_is_said(pets: Path, tmp_path: Path, dlcli: Command) -> None:
    done = dlcli(
        "train", pets, "--runs-dir", tmp_path, "--set", "train.optimizer=sgd", "--dry-run", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert "train.optimizer changes nothing: with 62 training pictures" in done.stderr
    assert "(62 training pictures are too few for the layers below, from 1000 on)" in done.stderr
    assert [stage["name"] for stage in json.loads(done.stdout)["plan"]["stages"]] == ["head"]


def test_an_effort_beside_a_list_of_stages_is_refused(
    pets: Path, tmp_path: Path, dlcli: Command
) -> None:
    done = dlcli("train", pets, "--runs-dir", tmp_path, *OPTIONS, "--effort", "best")
    one_sentence(done, 2, "--effort best", "train.stages", "train.stages=auto")


@pytest.mark.slow
def test_a_training_ends_within_its_time(pets: Path, tmp_path: Path, dlcli: Command) -> None:
    stages = "train.stages=[{trainable: head}, {trainable: all, epochs: 100000}]"
    options = ("--set", "data.image_size=32", "--set", stages, "--runs-dir", tmp_path, "--json")
    done = dlcli("train", pets, *options, "--max-time", "60s")
    assert done.returncode == 0, done.stderr
    assert re.search(r"all layers: there is time for \d+ of 100000 epochs", done.stderr)
    document = json.loads(done.stdout)
    assert document["status"] == "completed"
    assert 1 <= document["stages"][-1]["epochs"] < 100_000
    too_short = dlcli("train", pets, *options, "--max-time", "5s", "--name", "short")
    assert too_short.returncode == 0, too_short.stderr
    assert "no time is left for more: the head is the result" in too_short.stderr
    assert next(stage["name"] for stage in json.loads(too_short.stdout)["stages"]) == "head"
