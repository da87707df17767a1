"""PixelStore + rows -> batches, in an order that the seed and the epoch alone decide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from dlcli.data.dataset import Dataset
from dlcli.processor import in_order

Batch = tuple[NDArray[np.uint8], NDArray[np.float32]]
"""Pixels uint8 (B, H, W, C) and one-hot labels float32 (B, K)."""


@dataclass(frozen=True)
class Batches:
    """The pictures of one split in batches; the last one of an epoch may be smaller."""

    dataset: Dataset
    split: str
    batch_size: int

    @property
    def num_images(self) -> int:
        """The pictures of the split."""
        return len(self.dataset.rows(self.split))

    @property
    def num_batches(self) -> int:
        """Batches in an epoch."""
        return -(-self.num_images // self.batch_size)

    def shuffled(self, seed: int) -> Iterator[Batch]:
        """Epoch after epoch without end, each in an order of its own."""
        rows = self.dataset.rows(self.split)
        orders = (np.random.default_rng((seed, epoch)).permutation(rows) for epoch in count())
        return in_order(self._read, self._chunks(orders), 1)

    def in_turn(self, number: int) -> Batch:
        """Batch `number` of an epoch in the order of the index."""
        start = number * self.batch_size
        return self._read(self.dataset.rows(self.split)[start : start + self.batch_size])

    def _chunks(self, orders: Iterator[NDArray[np.int64]]) -> Iterator[NDArray[np.int64]]:
        for rows in orders:
            for start in range(0, len(rows), self.batch_size):
                yield rows[start : start + self.batch_size]

    def _read(self, rows: NDArray[np.int64]) -> Batch:
        num_classes = len(self.dataset.class_names)
        labels = self.dataset.labels(rows)
        return self.dataset.store.read(rows.tolist()), np.eye(num_classes, dtype=np.float32)[labels]
