"""The training pictures most like another, and whether they are still there."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from dlcli.commands.near_pictures import NUM_NEAREST, TrainingPictures
from dlcli.metrics.typicality import fit_typicality
from tests.conftest import write_image

FEATURES = np.eye(8, dtype=np.float32) + 0.1


@pytest.fixture
def training(tmp_path: Path) -> TrainingPictures:
    """Eight pictures, four each of cat and dog, each with a feature of its own."""
    rows = []
    for number in range(8):
        label = "cat" if number < 4 else "dog"
        path = write_image(tmp_path / "animals" / label / f"{number}.png", number)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append({"path": f"{label}/{number}.png", "label": label, "sha256": sha256})
    return TrainingPictures(tmp_path / "animals", rows, fit_typicality(FEATURES, FEATURES))


def test_the_nearest_come_first(training: TrainingPictures) -> None:
    wanted = FEATURES[5] + 0.5 * FEATURES[2]
    near = training.nearest(wanted)
    assert len(near) == NUM_NEAREST
    folder = training.folder
    paths = [str(folder / "dog" / "5.png"), str(folder / "cat" / "2.png")]
    assert [one.path for one in near[:2]] == paths
    assert [one.label for one in near[:2]] == ["dog", "cat"]
    expected = wanted @ FEATURES[5] / np.linalg.norm(wanted) / np.linalg.norm(FEATURES[5])
    assert near[0].similarity == pytest.approx(float(expected), abs=1e-3)
    assert near[0].similarity > near[1].similarity > near[2].similarity


def test_a_picture_that_is_gone_or_another_one_is_not_shown(training: TrainingPictures) -> None:
    near = training.nearest(FEATURES[0])
    Path(near[1].path).unlink()
    write_image(Path(near[2].path), seed=99)
    shown = [training.thumbnail(one.path) for one in near]
    assert [content is None for content in shown] == [False, True, True, False, False]
    assert (shown[0] or b"").startswith(b"\xff\xd8")
    assert training.num_gone == 2


@pytest.mark.parametrize(
    ("folder", "lies_among"),
    [
        ("animals", True),
        ("animals/cat", True),
        ("animals/cat/maps", True),
        ("animals/maps", True),  # the next training would take it for a class
        ("maps", False),
        ("animals-maps", False),
    ],
)
def test_maps_are_kept_from_the_training_pictures(
    folder: str, lies_among: bool, training: TrainingPictures, tmp_path: Path
) -> None:
    assert training.lie_around(tmp_path / folder) is lies_among


def test_beside_the_pictures_of_a_manifest_there_is_room(tmp_path: Path) -> None:
    rows = [{"path": "photos/1.png", "label": "cat"}, {"path": "photos/2.png", "label": "dog"}]
    listed = TrainingPictures(tmp_path, rows, fit_typicality(FEATURES, FEATURES))
    assert not listed.lie_around(tmp_path / "maps")
    assert listed.lie_around(tmp_path / "photos" / "maps")
