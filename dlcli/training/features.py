"""The frozen part of a network, run once over every picture and kept.

Features are kept as float16 (N, F): rounding them moves a probability by less than 1e-3, and they
take half the space.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlcli import cache
from dlcli.data.store import PixelStore
from dlcli.events import Reporter, StageAdvanced, StageEnded, StageStarted
from dlcli.processor import num_threads
from dlcli.runtime.body import Body
from dlcli.workers import in_order

_FILE = "features.npy"
_CHUNK = 8
_LARGEST = float(np.finfo(np.float16).max)


def kept_features(
    store: PixelStore, body: Body, body_sha256: str, reporter: Reporter, *, mirrored: bool = False
) -> NDArray[np.float16]:
    """Features of every readable picture in the store, float16 (N, F); other rows are zeros.

    With `mirrored` of each picture's mirror image. Computed where they are not kept; the array is
    a read-only map of the file.
    """
    key = cache.key_of(pixels=store.key, body=body_sha256, mirrored=mirrored)
    shape = (len(store.reasons), body.num_features)
    entry = cache.keep(
        cache.FEATURES,
        key,
        lambda building: _compute(building / _FILE, store, body, reporter, mirrored),
        lambda kept: np.load(kept / _FILE, mmap_mode="r").shape == shape,
    )
    features: NDArray[np.float16] = np.load(entry / _FILE, mmap_mode="r")
    return features


def _compute(file: Path, store: PixelStore, body: Body, reporter: Reporter, mirrored: bool) -> None:
    def run(rows: Sequence[int]) -> tuple[Sequence[int], NDArray[np.float32]]:
        pixels = store.read(rows)
        return rows, body.features(pixels[:, :, ::-1] if mirrored else pixels)

    readable = [row for row, reason in enumerate(store.reasons) if reason is None]
    chunks = [readable[start : start + _CHUNK] for start in range(0, len(readable), _CHUNK)]
    stage = "features, mirrored" if mirrored else "features"
    reporter.report(StageStarted(stage, len(readable)))
    shape = (len(store.reasons), body.num_features)
    kept = np.lib.format.open_memmap(file, "w+", np.float16, shape)
    done = 0
    for rows, features in in_order(run, chunks, num_threads()):
        kept[list(rows)] = features.clip(-_LARGEST, _LARGEST)
        done += len(rows)
        reporter.report(StageAdvanced(stage, done))
    kept.flush()
    reporter.report(StageEnded(stage))
