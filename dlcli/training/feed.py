"""What a fit is fed: batches as Keras takes them, those to train on and those to measure with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli.backend import keras
from dlcli.spec.schema import TrainSpec
from dlcli.training.batches import Batch, BatchSource, size_of
from dlcli.training.callbacks import CountPicturesOnce
from dlcli.training.class_weights import Weights
from dlcli.training.distribute import dealt, num_devices, own_share, restartable
from dlcli.training.mixing import mixed

_MOST_VAL_BYTES = 2**28
"""A val part of up to this size is kept in memory, which spares a small network 6 % of its time."""

_Weighted = tuple[Any, ...]
"""A batch with weights (B,), where pictures have some."""


@dataclass(frozen=True)
class Feed:
    """The batches of a fit; without `val` nothing is measured. Where there are many devices, each
    batch has as many pictures for one as for another."""

    train: BatchSource
    val: BatchSource | None
    spec: TrainSpec
    class_weights: Weights | None

    def steps(self, epoch: int, step: int) -> Any:
        """Batch after batch without end, mixed and weighted, from a step of an epoch on."""
        return restartable(lambda: self._batches(epoch, step))

    def validation(self) -> dict[str, Any]:
        """What `fit` is to be told of val."""
        if self.val is None:
            return {}
        if num_devices() > 1:
            return {"validation_data": _Dealt(self.val, self.class_weights)}
        if self.val.num_bytes > _MOST_VAL_BYTES:
            return {"validation_data": _InTurn(self.val, self.class_weights)}
        return {
            "validation_data": _weighted(self.val.at_once(), self.class_weights),
            "validation_batch_size": self.val.batch_size,
        }

    def corrections(self) -> list[CountPicturesOnce]:
        """Where the last batch of an epoch is filled up by more than the others are."""
        train = self.train
        *whole, last = (size_of(train, number) for number in range(train.num_batches))
        *filled, last_filled = (
            own_share().num_filled(size, train.batch_size) for size in (*whole, last)
        )
        if sum(whole) * last_filled == sum(filled) * last:
            return []
        return [CountPicturesOnce((sum(whole), last), (sum(filled), last_filled))]

    def _batches(self, epoch: int, step: int) -> Iterator[_Weighted]:
        train, spec = self.train, self.spec
        batches = train.shuffled(spec.seed, epoch, step)
        first = epoch * train.num_batches + step
        for number, batch in enumerate(mixed(batches, spec, train.num_batches, first), first):
            if num_devices() == 1:
                yield _weighted(batch, self.class_weights)
                continue
            most, num_images = train.batch_size, size_of(train, number % train.num_batches)
            own = own_share().weights(num_images, most)
            part = batch if train.is_dealt else dealt(batch, most)
            yield _weighted(part, self.class_weights, own)


class Accuracy(keras.metrics.CategoricalAccuracy):  # type: ignore[misc]
    """The share of pictures that are right: whatever a picture weighs, it counts as one, and those
    that fill up a batch of val, which weigh nothing, as none."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Counts a batch."""
        if sample_weight is not None:
            sample_weight = keras.ops.cast(sample_weight > 0, "float32")
        return super().update_state(y_true, y_pred, sample_weight)


def _weighted(
    batch: Batch, class_weights: Weights | None, own: NDArray[np.float32] | None = None
) -> _Weighted:
    """A picture weighs what its class does, and a mixed one what its mixture does; times what it
    weighs of its `own`, (B,)."""
    x, labels = batch
    if class_weights is None:
        return batch if own is None else (x, labels, own)
    weights = labels @ class_weights
    return x, labels, weights if own is None else weights * own


class _InTurn(keras.utils.PyDataset):  # type: ignore[misc]
    """One epoch in the order of the index. A generator would not do: Keras reads ahead of the
    validation steps, and the next validation begins where that ended."""

    def __init__(self, batches: BatchSource, class_weights: Weights | None) -> None:
        super().__init__()
        self._batches, self._class_weights = batches, class_weights

    def __len__(self) -> int:
        return self._batches.num_batches

    def __getitem__(self, number: int) -> _Weighted:
        return _weighted(self._batches.in_turn(number), self._class_weights)


class _Dealt(_InTurn):
    """`_InTurn` for many devices: what fills up a batch weighs nothing, and the others so much that
    Keras, which takes the mean of the batches by their sizes, comes to that of the pictures."""

    def __init__(self, batches: BatchSource, class_weights: Weights | None) -> None:
        super().__init__(batches, class_weights)
        sizes = (size_of(batches, number) for number in range(len(self)))
        num_filled = sum(map(own_share().num_filled, sizes))
        self._factor = np.float32(num_filled / batches.num_images)

    def __getitem__(self, number: int) -> _Weighted:
        batches = self._batches
        batch = batches.in_turn(number)
        if not batches.is_dealt:
            batch = dealt(batch)
        own = own_share().weights(size_of(batches, number)) > 0
        return _weighted(batch, self._class_weights, own * self._factor)
