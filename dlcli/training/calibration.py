"""The training pictures that an int8 body is calibrated on."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from dlcli.data.dataset import Dataset
from dlcli.data.split import TRAIN


def calibration_pixels(dataset: Dataset, seed: int, most: int) -> NDArray[np.uint8]:
    """Up to `most` training pictures, uint8 (N, H, W, C), chosen at random by the seed.

    Neither their names nor their order matter: the same pictures elsewhere give the same choice,
    in the same order.
    """
    sha256s = dataset.store.sha256s

    def lot(row: int) -> str:
        return hashlib.sha256(f"{seed} {sha256s[row]}".encode("ascii")).hexdigest()

    return dataset.store.read(sorted(dataset.rows(TRAIN).tolist(), key=lot)[:most])
