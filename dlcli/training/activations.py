"""What the frozen part of a network makes of each picture and of a few augmented views of it, kept
as float16 on disk, so that an epoch of the layers above never runs it again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli import backend, cache
from dlcli.backend import Model, keras
from dlcli.data.dataset import Dataset
from dlcli.events import Reporter, StageAdvanced, StageEnded, StageStarted
from dlcli.training.augment import augmentation_layers
from dlcli.training.batches import Batch
from dlcli.workers import in_order

MOST_BYTES = 4 * 10**9
_MOST_OF_FREE = 0.25
_CHUNK = 16
_FILE = "activations.npy"
_LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Views:
    """How pictures are seen: `number` times, the first time as they are, and then augmented by
    `augment`, from random numbers that `seed` and the view's number begin."""

    number: int = 1
    augment: tuple[Any, ...] = ()
    seed: int = 0

    def limited(self, num_images: int, shape: Sequence[int]) -> Views:
        """No more views than there is room for on the disk, and one where nothing is augmented."""
        folder = cache.cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        room = min(MOST_BYTES, int(shutil.disk_usage(folder).free * _MOST_OF_FREE))
        size = num_images * math.prod(shape) * np.dtype(np.float16).itemsize
        most = max(1, room // max(1, size)) if self.augment else 1
        return Views(min(self.number, most), self.augment, self.seed)


def kept_activations(
    dataset: Dataset,
    split: str,
    below: Model,
    weights_sha256: str,
    views: Views,
    reporter: Reporter,
) -> NDArray[np.float16]:
    """Activations float16 (V, N, ...) of the pictures of a split, in the order of the index.

    `below` takes float32 pixels (B, H, W, C), 0-255; `weights_sha256` says which weights the body
    has that it is a part of. Computed where they are not kept; the array is a read-only map of the
    file.
    """
    rows = dataset.rows(split)
    shape = (views.number, len(rows), *below.output_shape[1:])
    key = cache.key_of(
        pixels=dataset.store.key,
        rows=hashlib.sha256(rows.tobytes()).hexdigest(),
        weights=weights_sha256,
        layers=hashlib.sha256(below.to_json().encode()).hexdigest(),
        backend=backend.device().backend,
        augment=json.dumps(views.augment if views.number > 1 else []),
        seed=views.seed,
        views=views.number,
    )

    def make(building: Path) -> None:
        _compute(building / _FILE, dataset.store.read, rows, below, views, reporter)

    entry = cache.keep(
        cache.ACTIVATIONS,
        key,
        make,
        lambda kept: np.load(kept / _FILE, mmap_mode="r").shape == shape,
    )
    activations: NDArray[np.float16] = np.load(entry / _FILE, mmap_mode="r")
    return activations


def _compute(
    file: Path,
    read: Any,
    rows: NDArray[np.int64],
    below: Model,
    views: Views,
    reporter: Reporter,
) -> None:
    stage = f"activations, {views.number} view{'s' if views.number > 1 else ''}"
    reporter.report(StageStarted(stage, views.number * len(rows)))
    shape = (views.number, len(rows), *below.output_shape[1:])
    kept = np.lib.format.open_memmap(file, "w+", np.float16, shape)
    starts = range(0, len(rows), _CHUNK)
    for view in range(views.number):
        seen = _seen(below, views, view)
        batches = in_order(lambda start: read(rows[start : start + _CHUNK].tolist()), starts, 1)
        for start, pixels in zip(starts, batches, strict=True):
            full = np.zeros((_CHUNK, *pixels.shape[1:]), np.float32)  # one shape is traced once
            full[: len(pixels)] = pixels
            found = np.asarray(seen.predict_on_batch(full), np.float32)[: len(pixels)]
            kept[view, start : start + len(pixels)] = found.clip(-_LARGEST, _LARGEST)
            done = view * len(rows) + start + len(pixels)
            reporter.report(StageAdvanced(stage, done))
    kept.flush()
    reporter.report(StageEnded(stage))


def _seen(below: Model, views: Views, view: int) -> Model:
    """The frozen part behind one view's augmentation."""
    layers: list[Any] = []
    if view > 0:
        with _layer_seeds((views.seed, view)):
            layers = augmentation_layers(list(views.augment))
        height, width, _ = below.input_shape[1:]
        layers.append(keras.layers.Resizing(height, width))  # random_crop leaves a smaller one
    seen = _Seen(layers, below)
    seen.compile(jit_compile=backend.jit_compile())
    return seen


class _Seen(keras.Model):  # type: ignore[misc]
    """Augments where Keras only infers. A functional model would not: what its layers were called
    with, training or not, gives way to how the whole is called."""

    def __init__(self, augmentation: Sequence[Any], below: Model) -> None:
        super().__init__(name="seen")
        self._augmentation, self._below = list(augmentation), below

    def call(self, pixels: Any) -> Any:
        """float32 (B, H, W, C), 0-255 -> activations."""
        for layer in self._augmentation:
            pixels = layer(pixels, training=True)
        return self._below(pixels, training=False)


@contextlib.contextmanager
def _layer_seeds(seed: tuple[int, int]) -> Iterator[None]:
    """Random layers that are made inside take their seeds from `seed`; what is made afterwards
    knows nothing of it, so that it is the same whether activations were kept or are computed."""
    state = random.getstate()
    random.seed(str(seed))
    try:
        yield
    finally:
        random.setstate(state)


@dataclass(frozen=True)
class KeptBatches:
    """Activations in batches: in an epoch each picture comes once, as a view that the seed and the
    epoch choose."""

    activations: NDArray[np.float16]
    one_hot: NDArray[np.float32]
    batch_size: int

    @property
    def num_images(self) -> int:
        """The pictures of the split."""
        return len(self.one_hot)

    @property
    def num_batches(self) -> int:
        """Batches in an epoch."""
        return -(-self.num_images // self.batch_size)

    @property
    def is_dealt(self) -> bool:
        """Each batch is whole."""
        return False

    @property
    def num_bytes(self) -> int:
        """Of the activations of all pictures as they are."""
        return int(self.activations[0].nbytes)

    def shuffled(self, seed: int, first_epoch: int = 0, first_batch: int = 0) -> Iterator[Batch]:
        """Epoch after epoch without end, each in an order of its own, which follows from the seed
        and the epoch; begins with a batch of an epoch."""
        return in_order(self._view, islice(self._chunks(seed, first_epoch), first_batch, None), 1)

    def in_turn(self, number: int) -> Batch:
        """Batch `number` of an epoch in the order of the index, as the pictures are."""
        span = slice(number * self.batch_size, (number + 1) * self.batch_size)
        return np.array(self.activations[0, span]), self.one_hot[span]

    def at_once(self) -> Batch:
        """The whole split, as the pictures are."""
        return np.array(self.activations[0]), self.one_hot

    def _chunks(
        self, seed: int, first_epoch: int
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Views and places of each batch."""
        for epoch in count(first_epoch):
            rng = np.random.default_rng((seed, epoch))
            order = rng.permutation(self.num_images)
            views = rng.integers(0, len(self.activations), self.num_images)
            for start in range(0, self.num_images, self.batch_size):
                chunk = slice(start, start + self.batch_size)
                yield views[chunk], order[chunk]

    def _view(self, chunk: tuple[NDArray[np.int64], NDArray[np.int64]]) -> Batch:
        views, places = chunk
        return self.activations[views, places], self.one_hot[places]
