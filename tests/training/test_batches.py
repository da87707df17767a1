"""Batches: every picture once an epoch, in an order that seed and epoch decide."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from dlcli.data.dataset import Dataset, list_dataset, prepare_dataset
from dlcli.data.pixels import PixelFormat
from dlcli.data.split import SplitFractions
from dlcli.events import NullReporter
from dlcli.training.batches import Batches, Share
from tests.conftest import write_classes


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = write_classes(tmp_path_factory.mktemp("data"), {"a": 12, "b": 12, "c": 6})
    index = list_dataset(folder, NullReporter())
    return prepare_dataset(index, PixelFormat((16, 20)), SplitFractions(), NullReporter())


@pytest.fixture(scope="module")
def batches(dataset: Dataset) -> Batches:
    return Batches(dataset, "train", 8)


def test_an_epoch_holds_every_picture_once_with_its_label(
    dataset: Dataset, batches: Batches
) -> None:
    rows = dataset.rows("train")
    assert batches.num_images == len(rows)
    assert batches.num_batches == 3
    epoch = list(islice(batches.shuffled(0), batches.num_batches))
    assert [len(pixels) for pixels, _ in epoch] == [8, 8, len(rows) - 16]
    expected = {
        picture.tobytes(): label
        for picture, label in zip(
            dataset.store.read(rows.tolist()), dataset.labels(rows), strict=True
        )
    }
    found = {
        picture.tobytes(): int(one_hot.argmax())
        for pixels, labels in epoch
        for picture, one_hot in zip(pixels, labels, strict=True)
    }
    assert found == expected


def test_batches_are_bytes_and_one_hot_rows(batches: Batches) -> None:
    pixels, labels = next(batches.shuffled(0))
    assert (pixels.dtype, pixels.shape) == (np.uint8, (8, 16, 20, 3))
    assert (labels.dtype, labels.shape) == (np.float32, (8, 3))
    np.testing.assert_array_equal(labels.sum(axis=1), 1)


def test_each_epoch_has_an_order_of_its_own_and_a_seed_repeats_all(batches: Batches) -> None:
    def epochs(seed: int) -> list[bytes]:
        taken = list(islice(batches.shuffled(seed), 2 * batches.num_batches))
        return [pixels.tobytes() for pixels, _ in taken]

    first = epochs(1)
    assert first == epochs(1)
    assert first != epochs(2)
    assert first[: batches.num_batches] != first[batches.num_batches :]


def test_in_turn_is_the_order_of_the_index(dataset: Dataset, batches: Batches) -> None:
    taken = [batches.in_turn(number) for number in range(batches.num_batches)]
    pixels = np.concatenate([pixels for pixels, _ in taken])
    np.testing.assert_array_equal(pixels, dataset.store.read(dataset.rows("train").tolist()))
    whole, labels = batches.at_once()
    np.testing.assert_array_equal(whole, pixels)
    assert len(labels) == batches.num_images
    assert batches.num_bytes == whole.nbytes


def test_a_batch_is_filled_up_with_its_own_first_pictures() -> None:
    for num_devices, expected in ((1, 5), (5, 5), (2, 6), (4, 8), (12, 12)):
        share = Share(num_devices)
        assert share.num_filled(5) == expected
        np.testing.assert_array_equal(share.of(np.arange(5)), np.arange(expected) % 5)


def test_all_its_pictures_come_equally_often_where_there_is_room() -> None:
    for num_devices, most, expected in ((2, 10, 10), (2, 9, 6), (4, 20, 20), (4, 19, 8), (5, 5, 5)):
        share = Share(num_devices)
        assert share.num_filled(5, most) == expected
        np.testing.assert_array_equal(share.of(np.arange(5), most), np.arange(expected) % 5)


def test_a_weighted_mean_over_a_filled_batch_is_that_over_its_pictures() -> None:
    losses = np.random.default_rng(0).random(5)
    for most in (0, 30):
        shares = [Share(6, 3, number) for number in range(3)]
        filled = np.concatenate([share.of(losses, most) for share in shares])
        weights = np.concatenate([share.weights(5, most) for share in shares])
        assert len(filled) == (30 if most else 6)
        assert (weights > 0).sum() == 5
        assert (filled * weights).mean() == pytest.approx(losses.mean())


def test_the_shares_of_all_processes_are_the_batch() -> None:
    parts = [Share(6, 3, number).of(np.arange(10)) for number in range(3)]
    assert [len(part) for part in parts] == [4, 4, 4]
    np.testing.assert_array_equal(np.concatenate(parts), [*range(10), 0, 1])
