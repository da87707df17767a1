"""Pictures in memory, to be trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli.training.batches import Batch


@dataclass(frozen=True)
class ArrayBatches:
    """A `BatchSource` over pixels uint8 (N, H, W, C) and labels float32 (N, K)."""

    pixels: NDArray[Any]
    labels: NDArray[np.float32]
    batch_size: int

    @classmethod
    def noise(cls, num_images: int, batch_size: int, *, seed: int, size: int = 8) -> ArrayBatches:
        """Two classes, of which one is a little brighter."""
        rng = np.random.default_rng(seed)
        labels = np.arange(num_images) % 2
        pixels = (
            rng.integers(0, 200, (num_images, size, size, 3)) + 40 * labels[:, None, None, None]
        )
        return cls(pixels.astype(np.uint8), np.eye(2, dtype=np.float32)[labels], batch_size)

    @property
    def num_images(self) -> int:
        return len(self.pixels)

    @property
    def num_batches(self) -> int:
        return -(-self.num_images // self.batch_size)

    @property
    def is_dealt(self) -> bool:
        return False

    @property
    def num_bytes(self) -> int:
        return self.pixels.nbytes

    def shuffled(self, seed: int, first_epoch: int = 0, first_batch: int = 0) -> Iterator[Batch]:
        def batches() -> Iterator[Batch]:
            for epoch in count(first_epoch):
                order = np.random.default_rng((seed, epoch)).permutation(self.num_images)
                for start in range(0, self.num_images, self.batch_size):
                    yield self._take(order[start : start + self.batch_size])

        return islice(batches(), first_batch, None)

    def in_turn(self, number: int) -> Batch:
        places = np.arange(self.num_images)
        return self._take(places[number * self.batch_size :][: self.batch_size])

    def at_once(self) -> Batch:
        return self.pixels, self.labels

    def _take(self, places: NDArray[np.int64]) -> Batch:
        return self.pixels[places], self.labels[places]
