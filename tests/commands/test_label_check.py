"""dlcli check --labels: which labels a run doubts, and which pictures are like no other."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli.artifact import (
    BODY,
    HEAD,
    KERAS_BODY,
    NETWORK,
    Artifact,
    ModelFacts,
    open_artifact,
    write_artifact,
)
from dlcli.commands.label_check import (
    LabelIssue,
    SeenPictures,
    find_label_issues,
    find_outliers,
    find_unlikely_labels,
    training_pictures,
)
from dlcli.data.index import DatasetIndex, ImageFile, index_dataset
from dlcli.data.pixels import PixelFormat
from dlcli.errors import UsageError
from dlcli.events import Event, NullReporter, StageEnded, StageStarted, Warned
from dlcli.training.head import LabelledFeatures
from tests.conftest import ROOT
from tests.training.test_head import blobs

NAMES = ("ant", "bee", "cow", "dog")


class Recorder:
    """Keeps what is reported."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def report(self, event: Event) -> None:
        self.events.append(event)

    @property
    def warnings(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Warned)]


def seen(data: LabelledFeatures, first_row: int = 0) -> SeenPictures:
    """Pictures of these features in the rows of an index from `first_row` on."""
    before = [ImageFile(f"before/{row}.jpg", 0) for row in range(first_row)]
    files = [
        ImageFile(f"{NAMES[label]}/{place:03}.jpg", int(label))
        for place, label in enumerate(data.labels)
    ]
    names = NAMES[: int(data.labels.max()) + 1]
    index = DatasetIndex(Path("nowhere"), names, (*before, *files))
    return SeenPictures(index, np.arange(first_row, first_row + len(files)), data)


def move(data: LabelledFeatures, places: Sequence[int]) -> LabelledFeatures:
    """With the next label in these places."""
    labels = data.labels.copy()
    labels[list(places)] = (labels[list(places)] + 1) % (labels.max() + 1)
    return replace(data, labels=labels)


def doubt(data: LabelledFeatures) -> tuple[list[LabelIssue], Recorder]:
    recorder = Recorder()
    return list(find_unlikely_labels(seen(data), "a run", recorder)), recorder


def rows_of(issues: Sequence[LabelIssue]) -> list[int]:
    return [issue.row for issue in issues]


def test_moved_labels_are_found_and_no_others() -> None:
    moved = [3, 17, 44, 65, 90]
    issues, recorder = doubt(move(blobs([30, 30, 30, 30], 60, 40), moved))
    assert sorted(rows_of(issues)) == moved
    assert {issue.kind for issue in issues} == {"unlikely_label"}
    assert not recorder.warnings
    started, ended = recorder.events
    assert isinstance(started, StageStarted)
    assert isinstance(ended, StageEnded)
    assert "agree with 95.8% of the labels" in ended.detail


def test_nothing_is_found_where_all_is_right() -> None:
    issues, recorder = doubt(blobs([30, 30, 30], 60, 40))
    assert issues == []
    assert not recorder.warnings


def test_a_finding_says_what_it_looks_like_and_how_sure_that_is() -> None:
    data = move(blobs([30, 30, 30], 60, 40), [5])
    (issue,) = find_unlikely_labels(seen(data, first_row=100), "a run", NullReporter())
    assert issue.row == 105
    found = re.fullmatch(
        r"labelled bee, looks like ant \((0\.\d\d|1\.00) against (0\.\d\d)\)", issue.detail
    )
    assert found
    assert float(found[1]) > 0.9
    assert float(found[2]) == round(issue.score, 2)


def test_the_worst_come_first() -> None:
    data = blobs([60, 60, 60], 40, 12)
    issues, _ = doubt(move(data, range(0, 180, 15)))
    assert len(issues) > 5
    scores = [issue.score for issue in issues]
    assert scores == sorted(scores)


def test_many_wrong_labels_do_not_hide_each_other() -> None:
    """One label in five is wrong; a head that learned from them all would be unsure of all."""
    data = blobs([80, 80, 80], 100, 40)
    moved = np.flatnonzero(np.random.default_rng(0).random(240) < 0.2)
    issues, _ = doubt(move(data, moved.tolist()))
    hits = len(set(rows_of(issues)) & set(moved.tolist()))
    assert hits >= 0.9 * len(moved)
    assert hits >= 0.95 * len(issues)


def test_two_classes_are_enough() -> None:
    issues, _ = doubt(move(blobs([40, 40], 60, 40), [7, 50]))
    assert sorted(rows_of(issues)) == [7, 50]


def test_a_copy_does_not_vouch_for_a_wrong_label() -> None:
    """Ten copies of one picture, all with the wrong label, are ten wrong labels."""
    data = blobs([40, 40], 60, 40)
    features, groups = data.features.copy(), data.groups.copy()
    features[:10], groups[:10] = features[0], 0
    copies = LabelledFeatures(features, move(data, range(10)).labels, groups)
    assert sorted(rows_of(doubt(copies)[0])) == list(range(10))


def test_a_class_of_one_picture_is_told_and_the_others_are_judged() -> None:
    issues, recorder = doubt(move(blobs([30, 30, 30, 1], 60, 40), [3]))
    assert rows_of(issues) == [3]
    (warning,) = recorder.warnings
    assert warning.startswith("1 labels cannot be judged (dog)")


def test_of_a_single_class_nothing_can_be_judged() -> None:
    issues, recorder = doubt(blobs([12], 30, 10))
    assert issues == []
    (warning,) = recorder.warnings
    assert warning.startswith("12 labels cannot be judged (ant)")


def test_a_class_that_looks_like_another_is_still_judged() -> None:
    """All its pictures look like ants: they are not all set aside as wrong."""
    data = blobs([60, 60, 6], 60, 40)
    features = data.features.copy()
    features[120:] = blobs([6], 60, 0, seed=5).features + features[:60].mean(axis=0)
    issues, recorder = doubt(replace(data, features=features))
    assert not recorder.warnings
    assert set(rows_of(issues)) <= set(range(120, 126))


def test_a_run_that_cannot_tell_the_classes_apart_is_told_and_doubts_little() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(160) % 4
    noise = LabelledFeatures(rng.normal(size=(160, 50)).astype(np.float32), labels, np.arange(160))
    issues, recorder = doubt(noise)
    assert len(issues) <= 16
    (warning,) = recorder.warnings
    assert re.match(r"heads on what a run sees agree with only [1-4]\d% of the labels", warning)


def features_of_three_classes(seed: int = 1) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """As a body gives them: none below zero."""
    centres = np.abs(np.random.default_rng(0).normal(size=(3, 40))) * 3
    labels = np.repeat(np.arange(3), 60)
    noise = np.random.default_rng(seed).normal(size=(180, 40))
    return np.maximum(centres[labels] + noise, 0).astype(np.float32), labels


def test_a_foreign_picture_is_an_outlier_and_says_what_is_nearest() -> None:
    features, labels = features_of_three_classes()
    foreign = np.abs(np.random.default_rng(7).normal(size=40)) ** 3
    features[70] = foreign
    features[130] = foreign * 1.2 + 0.2  # the nearest to it, and foreign as well
    data = LabelledFeatures(features, labels, np.arange(180))
    recorder = Recorder()
    issues = list(find_outliers(seen(data, first_row=10), recorder))
    assert {80, 140} <= set(rows_of(issues))
    assert len(issues) <= 3
    details = {issue.row: issue.detail for issue in issues}
    assert details[80] == "unlike the other pictures of bee; nearest: cow/130.jpg"
    assert [issue.kind for issue in issues] == ["outlier"] * len(issues)
    scores = [issue.score for issue in issues]
    assert scores == sorted(scores)
    assert 0 < scores[0] < 1
    assert isinstance(recorder.events[-1], StageEnded)


def write_run(
    folder: Path, sha256s: Sequence[str], weights: str, files: Sequence[str], *, listed: bool = True
) -> tuple[Path, Artifact]:
    """A run as far as its model.json and its list of pictures go."""
    model = folder / "model"
    model.mkdir(parents=True)
    for name in (BODY, HEAD, *files):
        (model / name).write_bytes(b"-")
    write_artifact(model, ["a", "b"], PixelFormat((8, 8)), ModelFacts(None, weights, 9, 9), None)
    if listed:
        (folder / "run.json").write_text(json.dumps({"data": {"folder": "nowhere"}}))
        rows = [
            f"{sha256}.jpg,a,{'val' if sha256 == 'val' else 'train'},g,{sha256}"
            for sha256 in sha256s
        ]
        (folder / "split.csv").write_text("\n".join(["path,label,split,group,sha256", *rows]))
    return folder, open_artifact(model)


def test_a_body_learned_from_the_training_pictures_of_its_run(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", ["one", "two", "val"], "random", [NETWORK])
    assert training_pictures(*run) == {"one", "two"}


def test_a_backbone_s_own_body_learned_from_none(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", ["one", "two"], "imagenet", [])
    assert training_pictures(*run) == set()


def test_a_body_learned_in_the_run_that_it_is_from(tmp_path: Path) -> None:
    first, _ = write_run(tmp_path / "first", ["one", "val"], "random", [NETWORK])
    second, _ = write_run(tmp_path / "second", ["two"], str(first), [NETWORK])
    head_only = write_run(tmp_path / "third", ["three"], str(second), [KERAS_BODY])
    assert training_pictures(*head_only) == {"one", "two"}


@pytest.mark.parametrize("weights", ["random", "gone"])
def test_what_an_exported_body_learned_from_is_not_known(tmp_path: Path, weights: str) -> None:
    run = write_run(tmp_path / "run", [], weights, [NETWORK], listed=weights == "gone")
    if weights == "gone":
        (run[0] / "split.csv").write_text("path,label,split,group,sha256\na.jpg,a,train,g,one\n")
    assert training_pictures(*run) is None


# With a body, on the sample data.


@pytest.fixture
def swapped(animals: Path, tmp_path: Path) -> Path:
    """A copy of the sample data with four pictures in a wrong folder, and one that is broken."""
    folder = shutil.copytree(animals, tmp_path / "animals")
    for path, label in SWAPPED.items():
        (folder / path).rename(folder / label / Path(path).name)
    (folder / "cat" / "broken.png").write_bytes(b"no picture")
    return folder


SWAPPED = {
    "cat/emojione-cat-face-1.jpg": "lion",
    "dog/noto-dog-face-1.jpg": "cat",
    "elephant/fxemoji-elephant-2.jpg": "dog",
    "lion/emojione-lion-face-2.jpg": "elephant",
}


def find(folder: Path, run: str, runs: Path) -> tuple[list[LabelIssue], DatasetIndex, Recorder]:
    index, recorder = index_dataset(folder), Recorder()
    issues = find_label_issues(index, range(len(index.files)), run, runs, recorder)
    return issues, index, recorder


@pytest.mark.slow
def test_pictures_in_a_wrong_folder_are_found(swapped: Path, trained_run: Path) -> None:
    """By the built-in body, and by a run whose body is the same: with its own classes or not."""
    issues, index, recorder = find(swapped, "imagenet", trained_run.parent)
    wrong = {f"{label}/{Path(path).name}" for path, label in SWAPPED.items()}
    worst = [index.files[issue.row].path for issue in issues if issue.kind == "unlikely_label"]
    assert wrong <= set(worst[:6])
    assert len(worst) <= 10
    assert "cat/broken.png" not in worst
    assert not recorder.warnings
    first = next(issue for issue in issues if index.files[issue.row].path == worst[0])
    assert first.detail.startswith(f"labelled {worst[0].partition('/')[0]}, looks like ")
    by_run, _, again = find(swapped, trained_run.name, trained_run.parent)
    assert by_run == issues
    stages = [event.name for event in again.events if isinstance(event, StageStarted)]
    assert stages == ["judging labels", "looking for outliers"]


def test_no_readable_picture_is_no_fault(tmp_path: Path, trained_run: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "broken.png").write_bytes(b"no picture")
    assert find(tmp_path, str(trained_run), tmp_path)[0] == []


def test_rows_that_are_not_asked_for_are_left_alone(animals: Path, trained_run: Path) -> None:
    index = index_dataset(animals)
    asked = [row for row, file in enumerate(index.files) if file.label < 2]
    recorder = Recorder()
    issues = find_label_issues(index, asked, str(trained_run), animals, recorder)
    assert set(rows_of(issues)) <= set(asked)
    ended = [event for event in recorder.events if isinstance(event, StageEnded)]
    assert any("of the labels" in event.detail for event in ended)


def test_a_run_that_is_not_there_is_named(animals: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such run"):
        find(animals, "nothing", tmp_path)


def test_no_framework_is_loaded(trained_run: Path, animals: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from dlcli.commands.label_check import find_label_issues
from dlcli.data.index import index_dataset
from dlcli.events import NullReporter
index = index_dataset(Path({str(animals)!r}))
rows = range(len(index.files))
find_label_issues(index, rows, {str(trained_run)!r}, Path("runs"), NullReporter())
print("sklearn" in sys.modules, set(sys.modules) & {{"keras", "tensorflow", "jax", "torch"}})
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "True set()"
    assert done.stderr == ""
