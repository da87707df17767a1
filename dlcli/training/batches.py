"""Batches in an order that the seed and the epoch alone decide, and those of a PixelStore."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count, islice
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dlcli.data.dataset import Dataset
from dlcli.workers import in_order

Batch = tuple[NDArray[Any], NDArray[np.float32]]
"""Pixels uint8 (B, H, W, C) or activations float16 (B, ...), and labels float32 (B, K): one-hot, or
the shares of a mixed picture."""


@dataclass(frozen=True)
class Share:
    """What one process takes of each batch, which `num_devices` take together: it is filled up with
    its own pictures until it is dealt evenly, and each process has an equal part.

    As many pictures as `most` may be what a batch is filled up to. Where that allows it, all of its
    pictures come equally often: no mean over the batch, and so none that batch normalization takes,
    is another one then. Else its first ones come twice, fewer than there are devices.
    """

    num_devices: int = 1
    num_processes: int = 1
    process_id: int = 0

    def num_filled(self, num_images: int, most: int = 0) -> int:
        """How many pictures a batch has when it is filled up."""
        whole = math.lcm(num_images, self.num_devices)
        return whole if whole <= most else num_images + -num_images % self.num_devices

    def of(self, places: NDArray[Any], most: int = 0) -> NDArray[Any]:
        """The part of a batch, (B,) or (B, ...)."""
        rows = self._own(self.num_filled(len(places), most))
        return places[rows % len(places)]

    def weights(self, num_images: int, most: int = 0) -> NDArray[np.float32]:
        """What the pictures of that part weigh, (b,): nothing where they fill a batch up, and the
        others so much that the mean over the filled batch is that over its own pictures."""
        num_filled = self.num_filled(num_images, most)
        is_own = self._own(num_filled) < num_images
        return is_own.astype(np.float32) * np.float32(num_filled / num_images)

    def _own(self, num_filled: int) -> NDArray[np.int64]:
        part = num_filled // self.num_processes
        return np.arange(self.process_id * part, (self.process_id + 1) * part)


class BatchSource(Protocol):
    """What a network is trained on or measured with: pixels, or what a frozen part made of them.
    All of its batches have the same dtype and, but for their first axis, the same shape."""

    @property
    def num_images(self) -> int:
        """The pictures of an epoch."""

    @property
    def batch_size(self) -> int:
        """The pictures of a batch; the last one of an epoch may have fewer."""

    @property
    def num_batches(self) -> int:
        """Batches in an epoch."""

    @property
    def num_bytes(self) -> int:
        """Of all pixels or activations."""

    @property
    def is_dealt(self) -> bool:
        """Whether a batch is this process's share already; its numbers are those of all."""

    def shuffled(self, seed: int, first_epoch: int = 0, first_batch: int = 0) -> Iterator[Batch]:
        """Epoch after epoch without end, each in an order of its own, which follows from the seed
        and the epoch; begins with a batch of an epoch."""

    def in_turn(self, number: int) -> Batch:
        """Batch `number` of an epoch in the order of the index."""

    def at_once(self) -> Batch:
        """All that `in_turn` gives, as one batch."""


def dtype_of(batches: BatchSource) -> str:
    """Of what a network is given, e.g. `uint8`."""
    return str(batches.in_turn(0)[0].dtype)


def size_of(batches: BatchSource, number: int) -> int:
    """How many pictures batch `number` of an epoch has, before it is dealt."""
    return min(batches.batch_size, batches.num_images - number * batches.batch_size)


@dataclass(frozen=True)
class Batches:
    """The pixels of one split in batches; the last one of an epoch may be smaller. With a `share`
    only that part of each is read."""

    dataset: Dataset
    split: str
    batch_size: int
    share: Share | None = None

    @property
    def is_dealt(self) -> bool:
        """Whether a batch is this process's share already; its numbers are those of all."""
        return self.share is not None

    @property
    def num_images(self) -> int:
        """The pictures of the split."""
        return len(self._rows)

    @property
    def num_batches(self) -> int:
        """Batches in an epoch."""
        return -(-self.num_images // self.batch_size)

    @property
    def num_bytes(self) -> int:
        """Of all its pixels."""
        return self.num_images * math.prod(self.dataset.store.shape[1:])

    def shuffled(self, seed: int, first_epoch: int = 0, first_batch: int = 0) -> Iterator[Batch]:
        """Epoch after epoch without end, each in an order of its own, which follows from the seed
        and the epoch; begins with a batch of an epoch."""
        orders = (
            np.random.default_rng((seed, epoch)).permutation(self.num_images)
            for epoch in count(first_epoch)
        )
        chunks = (
            order[start : start + self.batch_size]
            for order in orders
            for start in range(0, len(order), self.batch_size)
        )
        return in_order(self._read_filled, islice(chunks, first_batch, None), 1)

    def in_turn(self, number: int) -> Batch:
        """Batch `number` of an epoch in the order of the index."""
        start = number * self.batch_size
        return self._read_part(np.arange(start, min(start + self.batch_size, self.num_images)))

    def at_once(self) -> Batch:
        """The whole split."""
        return self._read(np.arange(self.num_images))

    def _read_filled(self, places: NDArray[np.int64]) -> Batch:
        return self._read_part(places, most=self.batch_size)

    def _read_part(self, places: NDArray[np.int64], most: int = 0) -> Batch:
        return self._read(self.share.of(places, most) if self.share else places)

    def _read(self, places: NDArray[np.int64]) -> Batch:
        """The pictures at these places within the split."""
        pixels = self.dataset.store.read(self._rows[places].tolist())
        return pixels, self._one_hot[places]

    @cached_property
    def _rows(self) -> NDArray[np.int64]:
        return self.dataset.rows(self.split)

    @cached_property
    def _one_hot(self) -> NDArray[np.float32]:
        num_classes = len(self.dataset.class_names)
        return np.eye(num_classes, dtype=np.float32)[self.dataset.labels(self._rows)]
