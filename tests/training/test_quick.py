"""The quickest training, from a folder to a fitted head."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dlcli.artifact import sha256_of
from dlcli.data.dataset import Dataset, prepare_dataset
from dlcli.data.pixels import PixelFormat
from dlcli.data.split import SplitFractions
from dlcli.events import Event, NullReporter, StageEnded, StageStarted
from dlcli.models.bodies import KeptBody, find_body
from dlcli.models.registry import BACKBONES
from dlcli.training.quick import MIRROR_BELOW, TrainedHead, train_head

SIZE = (224, 224)
PER_CLASS = 20
Draw = Callable[[np.random.Generator, int], NDArray[np.uint8]]


class Recorder:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def report(self, event: Event) -> None:
        self.events.append(event)

    def stages(self) -> list[str]:
        return [event.name for event in self.events if isinstance(event, StageStarted)]


def colours(rng: np.random.Generator, label: int) -> NDArray[np.uint8]:
    """Noise in a colour of the class: as easy as it can be."""
    pixels = rng.integers(0, 60, (56, 56, 3), np.uint8)
    pixels[..., label] += 180
    return pixels


def noise(rng: np.random.Generator, _: int) -> NDArray[np.uint8]:
    """Noise that knows nothing of its class."""
    coarse = rng.integers(0, 256, (7, 7, 3), np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((56, 56)))


@pytest.fixture(scope="module")
def body() -> KeptBody:
    return find_body(BACKBONES["efficientnet-lite0"], SIZE, NullReporter())


def train(
    folder: Path, draw: Draw, num_classes: int, body: KeptBody
) -> tuple[TrainedHead, Recorder]:
    rng = np.random.default_rng(0)
    for label in range(num_classes):
        (folder / f"class{label}").mkdir(parents=True)
        for number in range(PER_CLASS):
            Image.fromarray(draw(rng, label)).save(folder / f"class{label}" / f"{number}.png")
    dataset = prepare_dataset(folder, PixelFormat(SIZE), SplitFractions(), NullReporter())
    recorder = Recorder()
    return train_head(dataset, body, SIZE, recorder), recorder


@pytest.fixture(scope="module")
def easy(tmp_path_factory: pytest.TempPathFactory, body: KeptBody) -> tuple[TrainedHead, Recorder]:
    return train(tmp_path_factory.mktemp("easy") / "colours", colours, 3, body)


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory, body: KeptBody) -> tuple[TrainedHead, Recorder]:
    return train(tmp_path_factory.mktemp("hard") / "noise", noise, 2, body)


def test_easy_classes_are_learned(easy: tuple[TrainedHead, Recorder]) -> None:
    trained, _ = easy
    for split in ("train", "val", "test"):
        probabilities, labels = trained.answers(split)
        np.testing.assert_array_equal(probabilities.argmax(axis=1), labels)
    assert trained.fitted.val_accuracy == 1


def test_mirror_images_are_not_tried_where_val_is_right(
    easy: tuple[TrainedHead, Recorder],
) -> None:
    trained, recorder = easy
    assert recorder.stages() == ["features", "head"]
    assert trained.history == ((1, "head", round(trained.fitted.val_log_loss, 6), 1.0, True),)


def test_mirror_images_are_tried_where_val_leaves_room(
    hard: tuple[TrainedHead, Recorder],
) -> None:
    trained, recorder = hard
    assert recorder.stages() == [
        "features",
        "head",
        "features, mirrored",
        "head, with mirror images",
    ]
    first, second = trained.history
    assert first[:2] == (1, "head")
    assert second[:2] == (2, "head, with mirror images")
    assert first[3] < MIRROR_BELOW


def test_of_two_fits_the_one_with_the_lower_loss_on_val_is_kept(
    hard: tuple[TrainedHead, Recorder],
) -> None:
    trained, _ = hard
    kept = [row for row in trained.history if row[4]]
    assert len(kept) == 1
    assert kept[0][2] == min(row[2] for row in trained.history)
    assert kept[0][2] == pytest.approx(trained.fitted.val_log_loss, abs=1e-6)
    assert kept[0][3] == pytest.approx(trained.fitted.val_accuracy, abs=1e-6)


def test_each_fit_says_how_good_it_is(easy: tuple[TrainedHead, Recorder]) -> None:
    ended = [event for event in easy[1].events if isinstance(event, StageEnded)]
    assert "val accuracy 1.000" in {event.name: event.detail for event in ended}["head"]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_answers_are_a_row_of_probabilities_and_a_label_a_picture(
    easy: tuple[TrainedHead, Recorder], split: str
) -> None:
    trained, _ = easy
    count = trained.dataset.num_images()[split]
    probabilities, labels = trained.answers(split)
    assert count > 0
    assert (probabilities.shape, labels.shape) == ((count, 3), (count,))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert set(labels.tolist()) == {0, 1, 2}


def test_calibration_error_before_is_without_the_temperature(
    hard: tuple[TrainedHead, Recorder],
) -> None:
    trained, _ = hard
    error = trained.calibration_error_before("val")
    assert error is not None
    assert 0 <= error <= 1


def test_pictures_of_training_are_typical_and_others_are_not(
    easy: tuple[TrainedHead, Recorder], hard: tuple[TrainedHead, Recorder]
) -> None:
    typicality = easy[0].typicality
    own = typicality.score(features_of(easy[0], "test"))
    foreign = typicality.score(features_of(hard[0], "test"))
    assert own.mean() > 0.2
    assert (foreign == 0).all()


def features_of(trained: TrainedHead, split: str) -> NDArray[np.float32]:
    return trained.features[trained.dataset.rows(split)].astype(np.float32)


def test_training_again_gives_the_same_head(
    easy: tuple[TrainedHead, Recorder], body: KeptBody
) -> None:
    first, _ = easy
    dataset: Dataset = first.dataset
    recorder = Recorder()
    second = train_head(dataset, body, SIZE, recorder)
    assert recorder.stages() == ["head"]
    np.testing.assert_array_equal(second.fitted.head.weights, first.fitted.head.weights)
    assert second.history == first.history


def test_the_body_that_was_used_is_the_one_that_is_kept(
    easy: tuple[TrainedHead, Recorder], body: KeptBody
) -> None:
    assert easy[0].body_path == body.path
    assert sha256_of(body.path) == body.sha256
