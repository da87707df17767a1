"""Batches whose pictures, or activations, are mixed with each other, and their labels with them.

What a batch is mixed by depends on the seed, the epoch and the batch's number alone: no random
state is kept anywhere, and a training that goes on mixes as one that was never interrupted.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dlcli.errors import SpecError
from dlcli.spec.schema import TrainSpec
from dlcli.training.batches import Batch

_STREAM = 0x6D6978
"""Tells these random numbers from those of the order: NumPy takes (seed, epoch) for
(seed, epoch, 0)."""


def mixed(
    batches: Iterator[Batch], spec: TrainSpec, num_batches: int, first: int = 0
) -> Iterator[Batch]:
    """Epochs of `num_batches` batches, mixed as `train.mix` says; the batches begin with number
    `first`, counted from the first one of epoch 0.

    Raises:
        SpecError: if CutMix is to cut what has no height and width.
    """
    if isinstance(spec.mix, str):
        yield from batches
        return
    for number, batch in enumerate(batches, first):
        rng = np.random.default_rng((spec.seed, *divmod(number, num_batches), _STREAM))
        if spec.mix.mixup is not None:
            yield mix_up(batch, spec.mix.mixup, rng)
        elif spec.mix.cutmix is not None:
            yield cut_mix(batch, spec.mix.cutmix, rng)


def mix_up(batch: Batch, alpha: float, rng: np.random.Generator) -> Batch:
    """Each picture blended with another of its batch (MixUp, Zhang 2018).

    The shares are drawn from Beta(alpha, alpha), one for each picture; whole numbers are rounded.
    """
    x, labels = batch
    others = rng.permutation(len(x))
    shares = rng.beta(alpha, alpha, len(x)).astype(np.float32)
    blended = _blend(x.astype(np.float32), others, shares)
    if np.issubdtype(x.dtype, np.integer):
        blended = np.rint(blended)
    return blended.astype(x.dtype), _blend(labels, others, shares)


def cut_mix(batch: Batch, alpha: float, rng: np.random.Generator) -> Batch:
    """A box of each picture replaced by that of another of its batch (CutMix, Yun 2019).

    The area that stays is drawn from Beta(alpha, alpha), one for each picture, the box has the
    picture's own shape and lies anywhere; labels are shared as the pixels are.
    """
    x, labels = batch
    if x.ndim != 4:
        raise SpecError(
            ["train.mix.cutmix cuts what has a height and a width, and here is none: use mixup"]
        )
    others = rng.permutation(len(x))
    kept = rng.beta(alpha, alpha, len(x))
    cut = x.copy()
    shares = np.empty(len(x), np.float32)
    for row, other in enumerate(others):
        box = _box(x.shape[1:3], kept[row], rng)
        cut[row][box] = x[other][box]
        shares[row] = 1 - x[row][box][..., 0].size / x[row][..., 0].size
    return cut, _blend(labels, others, shares)


def _blend(
    values: NDArray[np.float32], others: NDArray[np.int64], shares: NDArray[np.float32]
) -> NDArray[np.float32]:
    """`shares` of each row and the rest of its other row."""
    own = shares.reshape(-1, *[1] * (values.ndim - 1))
    return values * own + values[others] * (1 - own)


def _box(size: tuple[int, ...], kept: float, rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a box around a random place, smaller where that is near an edge."""
    sides = []
    for length in size:
        half = length * float(np.sqrt(1 - kept)) / 2
        centre = float(rng.uniform(0, length))
        sides.append(slice(max(0, round(centre - half)), min(length, round(centre + half))))
    return sides[0], sides[1]
