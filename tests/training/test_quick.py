"""The quickest training, from a folder to a fitted head."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dlcli.artifact import sha256_of
from dlcli.data.dataset import Dataset, list_dataset, prepare_dataset
from dlcli.data.pixels import PixelFormat
from dlcli.data.split import SplitFractions
from dlcli.events import Event, HeadFitted, NullReporter, StageEnded, StageStarted
from dlcli.models.bodies import KeptBody, find_body
from dlcli.models.registry import BACKBONES
from dlcli.training.quick import MIRROR_BELOW, train_head
from dlcli.training.trained import TrainedModel

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
) -> tuple[TrainedModel, Recorder]:
    rng = np.random.default_rng(0)
    for label in range(num_classes):
        (folder / f"class{label}").mkdir(parents=True)
        for number in range(PER_CLASS):
            Image.fromarray(draw(rng, label)).save(folder / f"class{label}" / f"{number}.png")
    reporter = NullReporter()
    index = list_dataset(folder, reporter)
    dataset = prepare_dataset(index, PixelFormat(SIZE), SplitFractions(), reporter)
    recorder = Recorder()
    return train_head(dataset, body, recorder), recorder


@pytest.fixture(scope="module")
def easy(tmp_path_factory: pytest.TempPathFactory, body: KeptBody) -> tuple[TrainedModel, Recorder]:
    return train(tmp_path_factory.mktemp("easy") / "colours", colours, 3, body)


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory, body: KeptBody) -> tuple[TrainedModel, Recorder]:
    return train(tmp_path_factory.mktemp("hard") / "noise", noise, 2, body)


def test_easy_classes_are_learned(easy: tuple[TrainedModel, Recorder]) -> None:
    trained, _ = easy
    for split in ("train", "val", "test"):
        probabilities, labels = trained.answers(split)
        np.testing.assert_array_equal(probabilities.argmax(axis=1), labels)
    assert trained.best.val_accuracy == 1


def test_mirror_images_are_not_tried_where_val_is_right(
    easy: tuple[TrainedModel, Recorder],
) -> None:
    trained, recorder = easy
    assert recorder.stages() == ["features", "head"]
    (row,) = trained.history
    assert (row.epoch, row.stage, row.val_accuracy, row.kept) == (1, "head", 1.0, True)
    assert row.loss is None
    assert row.learning_rate is None


def test_mirror_images_are_tried_where_val_leaves_room(
    hard: tuple[TrainedModel, Recorder],
) -> None:
    trained, recorder = hard
    assert recorder.stages() == [
        "features",
        "head",
        "features, mirrored",
        "head, with mirror images",
    ]
    first, second = trained.history
    assert (first.epoch, first.stage) == (1, "head")
    assert (second.epoch, second.stage) == (2, "head, with mirror images")
    assert first.val_accuracy < MIRROR_BELOW
    fitted = [event for event in recorder.events if isinstance(event, HeadFitted)]
    told = [(one.name, round(one.val_loss, 6), round(one.val_accuracy, 6)) for one in fitted]
    assert told == [(row.stage, row.val_loss, row.val_accuracy) for row in trained.history]


def test_mirror_images_are_not_tried_where_augmentation_is_none(
    hard: tuple[TrainedModel, Recorder], body: KeptBody
) -> None:
    recorder = Recorder()
    trained = train_head(hard[0].dataset, body, recorder, mirror=False)
    assert recorder.stages() == ["head"]
    assert len(trained.history) == 1


def test_of_two_fits_the_one_with_the_lower_loss_on_val_is_kept(
    hard: tuple[TrainedModel, Recorder],
) -> None:
    trained, _ = hard
    kept = [row for row in trained.history if row.kept]
    assert kept == [trained.best]
    assert kept[0].val_loss == min(row.val_loss for row in trained.history)
    probabilities, labels = trained.answers("val")
    accuracy = (probabilities.argmax(axis=1) == labels).mean()
    assert kept[0].val_accuracy == pytest.approx(accuracy, abs=1e-6)


def test_each_fit_says_how_good_it_is(easy: tuple[TrainedModel, Recorder]) -> None:
    ended = [event for event in easy[1].events if isinstance(event, StageEnded)]
    assert "val accuracy 1.000" in {event.name: event.detail for event in ended}["head"]


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_answers_are_a_row_of_probabilities_and_a_label_a_picture(
    easy: tuple[TrainedModel, Recorder], split: str
) -> None:
    trained, _ = easy
    count = trained.dataset.num_images()[split]
    probabilities, labels = trained.answers(split)
    assert count > 0
    assert (probabilities.shape, labels.shape) == ((count, 3), (count,))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert set(labels.tolist()) == {0, 1, 2}


def test_pictures_of_training_are_typical_and_others_are_not(
    easy: tuple[TrainedModel, Recorder], hard: tuple[TrainedModel, Recorder]
) -> None:
    typicality = easy[0].typicality
    own = typicality.score(features_of(easy[0], "test"))
    foreign = typicality.score(features_of(hard[0], "test"))
    assert own.mean() > 0.2
    assert (foreign == 0).all()


def features_of(trained: TrainedModel, split: str) -> NDArray[np.float32]:
    return trained.features[trained.dataset.rows(split)].astype(np.float32)


def test_training_again_gives_the_same_head(
    easy: tuple[TrainedModel, Recorder], body: KeptBody
) -> None:
    first, _ = easy
    dataset: Dataset = first.dataset
    recorder = Recorder()
    second = train_head(dataset, body, recorder)
    assert recorder.stages() == ["head"]
    np.testing.assert_array_equal(second.head.weights, first.head.weights)
    assert second.history == first.history


def test_the_body_that_was_used_is_the_one_that_is_kept(
    easy: tuple[TrainedModel, Recorder], body: KeptBody
) -> None:
    assert easy[0].body_path == body.path
    assert sha256_of(body.path) == body.sha256
