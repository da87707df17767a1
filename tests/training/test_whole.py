"""All layers trained by Keras: a body, a head and a network that answer alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dlcli import backend
from dlcli.data.dataset import Dataset, list_dataset, prepare_dataset
from dlcli.data.pixels import PixelFormat
from dlcli.data.split import SplitFractions
from dlcli.errors import SpecError
from dlcli.events import (
    EpochEnded,
    EpochStarted,
    NullReporter,
    StageAdvanced,
    StageEnded,
    StageStarted,
)
from dlcli.runtime.litert import LiteRtBody
from dlcli.spec.loader import load_spec
from dlcli.spec.schema import Spec
from dlcli.training.stages import plan_stages, resolve_spec
from dlcli.training.trained import TrainedModel
from tests.conftest import Recorder

LAYERS = (
    "[{rescaling: {scale: 0.0078, offset: -1}}, {conv2d: {filters: 8, kernel_size: 3, strides: 2}},"
    " {batch_normalization: {momentum: 0.8}}, relu, global_average_pooling2d"
)
WITH_HEAD = f"model.layers={LAYERS}]"
WITHOUT_HEAD = (
    f"model.layers={LAYERS}, {{dense: {{units: 3, activation: softmax}}}}, {{head: none}}]"
)
SETTINGS = (
    "data.image_size=16",
    "train.epochs=4",
    "train.learning_rate=0.02",
    "train.precision=float32",
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Three classes of noise in a colour each."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for label in range(3):
        (folder / f"class{label}").mkdir()
        for number in range(40):
            pixels = rng.integers(0, 90, (16, 16, 3), np.uint8)
            pixels[..., label] += 120
            Image.fromarray(pixels).save(folder / f"class{label}" / f"{number}.png")
    index = list_dataset(folder, NullReporter())
    return prepare_dataset(index, PixelFormat((16, 16)), SplitFractions(), NullReporter())


def train(
    dataset: Dataset, folder: Path, *settings: str
) -> tuple[TrainedModel, Any, Spec, Recorder]:
    backend.prepare()
    from dlcli.models.network import build_network
    from dlcli.training.whole import train_network

    backend.keras.utils.set_random_seed(0)
    spec = resolve_spec(load_spec(None, (*SETTINGS, *settings)), len(dataset.rows("train")))
    network = build_network(spec, 3)
    recorder = Recorder()
    (stage,) = plan_stages(spec)
    trained = train_network(network, dataset, spec, stage, folder, recorder)
    return trained, network, spec, recorder


@pytest.fixture(scope="module")
def trained(
    dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrainedModel, Any, Spec, Recorder]:
    return train(dataset, tmp_path_factory.mktemp("trained"), WITH_HEAD)


def test_easy_classes_are_learned(trained: tuple[TrainedModel, Any, Spec, Recorder]) -> None:
    probabilities, labels = trained[0].answers("test")
    assert (probabilities.argmax(axis=1) == labels).mean() == 1


def test_body_and_head_answer_as_the_network_that_is_saved(
    trained: tuple[TrainedModel, Any, Spec, Recorder],
) -> None:
    model = trained[0]
    assert model.network_path is not None
    network = backend.keras.saving.load_model(model.network_path, compile=False)
    pixels = model.dataset.store.read(model.dataset.rows("test").tolist())
    expected = network.predict_on_batch(pixels.astype(np.float32))
    body = LiteRtBody(model.body_path, (16, 16), 3)
    answers = model.head.probabilities(body.features(pixels))
    np.testing.assert_allclose(answers, expected, atol=1e-5)
    np.testing.assert_allclose(model.answers("test")[0], expected, atol=5e-3)


def test_the_saved_network_holds_no_augmentation(
    trained: tuple[TrainedModel, Any, Spec, Recorder],
) -> None:
    model, _, spec, _ = trained
    assert isinstance(spec.augment, list)
    assert len(spec.augment) >= 2
    network = backend.keras.saving.load_model(model.network_path, compile=False)
    names = [layer.name for layer in network.layers]
    assert names == [
        "pixels", "rescaling_0", "conv2d_1", "batch_normalization_2", "relu_3",
        "global_average_pooling2d_4", "probabilities",
    ]  # fmt: skip


def test_history_has_a_row_an_epoch_and_the_best_one_is_kept(
    trained: tuple[TrainedModel, Any, Spec, Recorder],
) -> None:
    model = trained[0]
    assert [row.epoch for row in model.history] == [1, 2, 3, 4]
    assert model.best.val_loss == min(row.val_loss for row in model.history)
    rates = [row.learning_rate for row in model.history]
    assert rates[-1] == 0
    assert rates == sorted(rates, key=lambda rate: -(rate or 0)), "cosine goes down"


def test_the_weights_are_those_of_the_best_epoch(
    trained: tuple[TrainedModel, Any, Spec, Recorder],
) -> None:
    probabilities, labels = trained[0].answers("val")
    accuracy = (probabilities.argmax(axis=1) == labels).mean()
    assert trained[0].best.val_accuracy == pytest.approx(accuracy, abs=1e-6)


def test_every_epoch_is_told_and_the_stage_counts_pictures(
    trained: tuple[TrainedModel, Any, Spec, Recorder],
) -> None:
    model, _, _, recorder = trained
    count = len(model.dataset.rows("train"))
    started = [event for event in recorder.events if isinstance(event, StageStarted)]
    assert (started[0].name, started[0].total) == ("all layers", 4 * count)
    epochs = [event for event in recorder.events if isinstance(event, EpochEnded)]
    assert [(event.epoch, event.num_epochs) for event in epochs] == [(n, 4) for n in (1, 2, 3, 4)]
    begun = [event for event in recorder.events if isinstance(event, EpochStarted)]
    assert begun == [EpochStarted("all layers", n, 4) for n in (1, 2, 3, 4)]
    told = [(round(event.accuracy or 0, 6), event.learning_rate) for event in epochs]
    assert told == [(row.accuracy, row.learning_rate) for row in model.history]
    done = [
        event.done
        for event in recorder.events
        if isinstance(event, StageAdvanced) and event.name == "all layers"
    ]
    assert done == sorted(done)
    assert done[-1] == 4 * count
    ended = [event for event in recorder.events if isinstance(event, StageEnded)]
    assert f"epoch {model.best.epoch} kept" in ended[0].detail


def test_a_network_that_brings_its_own_classifier_answers_alike(
    dataset: Dataset, tmp_path: Path
) -> None:
    model, network, _, _ = train(dataset, tmp_path, WITHOUT_HEAD)
    assert network.classifier is None
    assert model.head.is_identity
    loaded = backend.keras.saving.load_model(model.network_path, compile=False)
    pixels = dataset.store.read(dataset.rows("test").tolist())
    expected = loaded.predict_on_batch(pixels.astype(np.float32))
    np.testing.assert_allclose(model.answers("test")[0], expected, atol=5e-3)


def test_a_body_is_found_again_in_a_saved_network(
    trained: tuple[TrainedModel, Any, Spec, Recorder],
) -> None:
    from dlcli.models.model import body_of

    model, network, _, _ = trained
    loaded = backend.keras.saving.load_model(model.network_path, compile=False)
    pixels = model.dataset.store.read([0, 1]).astype(np.float32)
    np.testing.assert_allclose(body_of(loaded)(pixels), network.body(pixels), atol=1e-6)


def test_the_same_seed_gives_the_same_weights(
    trained: tuple[TrainedModel, Any, Spec, Recorder], dataset: Dataset, tmp_path: Path
) -> None:
    again, _, _, _ = train(dataset, tmp_path, WITH_HEAD)
    np.testing.assert_array_equal(again.head.weights, trained[0].head.weights)
    assert again.history == trained[0].history


def test_a_val_part_too_large_for_memory_gives_the_same_numbers(
    trained: tuple[TrainedModel, Any, Spec, Recorder],
    dataset: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dlcli.training import feed

    monkeypatch.setattr(feed, "_MOST_VAL_BYTES", 0)
    streamed, _, _, _ = train(dataset, tmp_path, WITH_HEAD)
    for row, other in zip(streamed.history, trained[0].history, strict=True):
        assert row.loss == other.loss
        assert row.val_loss == pytest.approx(other.val_loss, abs=2e-6)


def test_a_crop_is_brought_back_to_its_size(dataset: Dataset, tmp_path: Path) -> None:
    augment = "augment=[{random_crop: {height: 12, width: 12}}]"
    model, _, _, _ = train(dataset, tmp_path, WITH_HEAD, augment, "train.epochs=1")
    assert len(model.history) == 1


def test_early_stopping_ends_a_training_that_gets_no_better(
    dataset: Dataset, tmp_path: Path
) -> None:
    settings = (
        "train.early_stopping={monitor: val_accuracy, patience: 2}",
        "train.epochs=30",
        "train.learning_rate=1e-9",
        "train.schedule=constant",
    )
    model, _, _, _ = train(dataset, tmp_path, WITH_HEAD, *settings)
    assert len(model.history) < 30
    assert len(model.history) == model.best.epoch + 2


def test_a_lost_loss_ends_with_a_sentence(dataset: Dataset, tmp_path: Path) -> None:
    settings = ("train.learning_rate=100000", "train.optimizer=sgd", "train.schedule=constant")
    layers = "model.layers=[{dense: {units: 8}}, {dense: {units: 8}}]".replace("[", "[flatten, ", 1)
    with pytest.raises(SpecError, match=r"no longer a number in epoch \d+: lower"):
        train(dataset, tmp_path, layers, *settings, "augment=none")
