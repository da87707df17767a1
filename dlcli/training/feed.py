"""What a fit is fed: batches as Keras takes them, those to train on and those to measure with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcli.backend import keras
from dlcli.spec.schema import TrainSpec
from dlcli.training.batches import Batch, BatchSource, Share
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

    def _batches(self, epoch: int, step: int) -> Iterator[_Weighted]:
        train, spec = self.train, self.spec
        batches = train.shuffled(spec.seed, epoch, step)
        first = epoch * train.num_batches + step
        for batch in mixed(batches, spec, train.num_batches, first):
            is_whole = num_devices() > 1 and not train.is_dealt
            yield _weighted(dealt(batch) if is_whole else batch, self.class_weights)


class Accuracy(keras.metrics.CategoricalAccuracy):  # type: ignore[misc]
    """The share of pictures that are right: whatever a picture weighs, it counts as one, and those
    that fill up a batch of val, which weigh nothing, as none."""

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Counts a batch."""
        if sample_weight is not None:
            sample_weight = keras.ops.cast(sample_weight > 0, "float32")
        return super().update_state(y_true, y_pred, sample_weight)


def _weighted(batch: Batch, class_weights: Weights | None) -> _Weighted:
    """A picture weighs what its class does, and a mixed one what its mixture does."""
    x, labels = batch
    return batch if class_weights is None else (x, labels, labels @ class_weights)


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
    """`_InTurn` for many devices: what fills up the last batch weighs nothing. The others weigh so
    much more that Keras, which divides by the number of pictures, comes to the same mean."""

    def __getitem__(self, number: int) -> _Weighted:
        batches, share = self._batches, own_share()
        x, labels, *weights = super().__getitem__(number)
        num_images, size = batches.num_images, batches.batch_size
        num_own = min(size, num_images - number * size)
        num_filling = sum(
            share.num_filling(min(size, num_images - start)) for start in range(0, num_images, size)
        )
        own = np.zeros(num_own + share.num_filling(num_own), np.float32)
        own[:num_own] = (num_images + num_filling) / num_images
        if not batches.is_dealt:
            x, labels = dealt((x, labels))
            weights = [*map(share.of, weights)]
        part = Share(share.num_processes, share.num_processes, share.process_id).of(own)
        return x, labels, part * weights[0] if weights else part
