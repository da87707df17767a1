"""The pictures that an int8 body is calibrated on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli.data.dataset import Dataset, list_dataset, prepare_dataset
from dlcli.data.pixels import PixelFormat
from dlcli.data.split import SplitFractions
from dlcli.events import NullReporter
from dlcli.training.calibration import calibration_pixels
from tests.conftest import write_classes


def dataset_of(folder: Path) -> Dataset:
    index = list_dataset(folder, NullReporter())
    return prepare_dataset(index, PixelFormat((32, 32)), SplitFractions(), NullReporter())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classes(tmp_path_factory.mktemp("pictures") / "data", {"a": 20, "b": 20})


@pytest.fixture(scope="module")
def dataset(folder: Path) -> Dataset:
    return dataset_of(folder)


def as_set(pixels: NDArray[np.uint8]) -> set[bytes]:
    return {picture.tobytes() for picture in pixels}


def test_they_are_training_pictures_each_once(dataset: Dataset) -> None:
    train = dataset.rows("train").tolist()
    chosen = calibration_pixels(dataset, 0, 10)
    assert (chosen.shape, chosen.dtype) == ((10, 32, 32, 3), np.uint8)
    assert len(as_set(chosen)) == 10
    assert as_set(chosen) < as_set(dataset.store.read(train))


def test_a_small_set_gives_all_it_has(dataset: Dataset) -> None:
    train = dataset.rows("train").tolist()
    chosen = calibration_pixels(dataset, 0, 200)
    assert len(chosen) == len(train) == 28
    assert as_set(chosen) == as_set(dataset.store.read(train))


def test_the_seed_chooses(dataset: Dataset) -> None:
    first, other = calibration_pixels(dataset, 0, 10), calibration_pixels(dataset, 1, 10)
    np.testing.assert_array_equal(first, calibration_pixels(dataset, 0, 10))
    assert as_set(first) != as_set(other)


def test_neither_names_nor_order_matter(folder: Path, dataset: Dataset, tmp_path: Path) -> None:
    for number, file in enumerate(sorted(folder.glob("*/*"), reverse=True)):
        target = tmp_path / "data" / file.parent.name / f"{number}{file.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    moved = dataset_of(tmp_path / "data")
    assert moved.store.sha256s != dataset.store.sha256s
    np.testing.assert_array_equal(
        calibration_pixels(moved, 0, 10), calibration_pixels(dataset, 0, 10)
    )
