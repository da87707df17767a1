"""Activations of the frozen layers: kept, seen in several views, and dealt like pictures."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcli import backend
from dlcli.data.dataset import Dataset, list_dataset, prepare_dataset
from dlcli.data.pixels import PixelFormat
from dlcli.data.split import SplitFractions
from dlcli.events import NullReporter, StageStarted
from tests.conftest import write_classes
from tests.training.test_whole import Recorder

FLIPS: tuple[Any, ...] = ({"random_flip": "horizontal"}, {"random_brightness": 0.3})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = write_classes(tmp_path_factory.mktemp("data") / "pets", {"cat": 14, "dog": 14})
    index = list_dataset(folder, NullReporter())
    return prepare_dataset(index, PixelFormat((16, 16)), SplitFractions(), NullReporter())


@pytest.fixture(scope="module")
def below() -> Any:
    backend.prepare()
    keras = backend.keras
    keras.utils.set_random_seed(0)
    pixels = keras.Input((16, 16, 3))
    return keras.Model(pixels, keras.layers.Conv2D(4, 3, 2)(pixels))


def kept(dataset: Dataset, below: Any, number: int, seed: int = 0) -> tuple[Any, Recorder]:
    from dlcli.training.activations import Views, kept_activations

    recorder = Recorder()
    views = Views(number, FLIPS if number > 1 else (), seed)
    return kept_activations(dataset, "train", below, "0", views, recorder), recorder


def test_the_first_view_is_the_pictures_as_they_are(dataset: Dataset, below: Any) -> None:
    found, _ = kept(dataset, below, 3)
    pixels = dataset.store.read(dataset.rows("train").tolist()).astype(np.float32)
    expected = np.asarray(below.predict_on_batch(pixels))
    assert (found.shape, found.dtype) == ((3, *expected.shape), np.float16)
    np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-3)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not np.allclose(found[one], found[other], atol=1e-2)


def test_they_are_computed_once_and_the_same_again(
    dataset: Dataset, below: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, recorder = kept(dataset, below, 2, seed=7)
    assert any(isinstance(event, StageStarted) for event in recorder.events)
    again, recorder = kept(dataset, below, 2, seed=7)
    assert recorder.events == []
    np.testing.assert_array_equal(again, first)
    monkeypatch.setenv("DLCLI_CACHE", str(tmp_path))
    anew, recorder = kept(dataset, below, 2, seed=7)
    assert recorder.events
    np.testing.assert_array_equal(anew, first)
    other, _ = kept(dataset, below, 2, seed=8)
    assert not np.array_equal(other[1], first[1])


def test_no_more_views_than_the_disk_has_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    backend.prepare()
    from dlcli.training import activations

    monkeypatch.setattr(activations, "MOST_BYTES", 2 * 10 * 7 * 7 * 8 * 3)
    assert activations.Views(12, FLIPS).limited(10, (None, 7, 7, 8)[1:]).number == 3
    assert activations.Views(2, FLIPS).limited(10, (7, 7, 8)).number == 2
    assert activations.Views(12, FLIPS).limited(1000, (7, 7, 8)).number == 1
    assert activations.Views(12).limited(10, (7, 7, 8)).number == 1, "all views would be alike"


def test_an_epoch_deals_each_picture_once_in_a_view_of_its_own() -> None:
    backend.prepare()
    from dlcli.training.activations import KeptBatches

    views, pictures = np.meshgrid(np.arange(3), np.arange(10), indexing="ij")
    activations = np.stack([views, pictures], axis=-1).astype(np.float16)
    batches = KeptBatches(activations, np.eye(10, dtype=np.float32), 4)
    dealt = list(islice(batches.shuffled(0), 2 * batches.num_batches))
    epochs = [dealt[:3], dealt[3:]]
    seen = [np.concatenate([x for x, _ in epoch]) for epoch in epochs]
    for one in seen:
        assert sorted(one[:, 1]) == list(range(10))
        assert len(set(one[:, 0])) > 1
    assert not np.array_equal(*seen)
    assert all((labels.argmax(axis=1) == x[:, 1]).all() for x, labels in dealt)
    went_on = list(islice(batches.shuffled(0, 1, 1), 2))
    for (x, labels), (expected, expected_labels) in zip(went_on, epochs[1][1:], strict=True):
        np.testing.assert_array_equal(x, expected)
        np.testing.assert_array_equal(labels, expected_labels)
