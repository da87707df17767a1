"""Runs on an int8 body against runs on a float32 one: how fast, how right, how small."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlcli.data.pixels import PixelFormat, read_image
from dlcli.processor import has_int8_products, num_threads
from dlcli.runtime.litert import LiteRtBody
from dlcli.workers import in_order
from tests.benchmarks.measure import DLCLI, run
from tests.conftest import SHARED

Row = tuple[str, str, str]
DATA = SHARED / "data"
BODIES = (FLOAT32, INT8) = ("float32", "int8")
SEEDS, TURNS, NUM_PICTURES, CHUNK = (0, 1, 2), 15, 64, 8


@dataclass(frozen=True)
class _Run:
    folder: Path
    accuracy: float
    num_images: int

    @property
    def body(self) -> Path:
        return self.folder / "model" / "body.tflite"


def rows() -> Iterator[Row]:
    """(what, at least, measured)"""
    if not DATA.exists():
        yield "int8 bodies on photos", "present", f"absent: {DATA}"
        return
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as folder:
        animals, clothing, insects = (
            {body: [_train(Path(folder), name, body, seed) for seed in SEEDS] for body in BODIES}
            for name in ("animals5", "clothing10", "hymenoptera")
        )
        first = {body: runs[0].body for body, runs in animals.items()}
        yield from _speed(first)
        sizes = [first[body].stat().st_size / 1e6 for body in (INT8, FLOAT32)]
        yield "size of the body", "", f"{sizes[0]:.1f} MB against {sizes[1]:.1f}"
        for name, runs in (("animals5", animals), ("clothing10", clothing)):
            lost = 100 * (_accuracy(runs[FLOAT32]) - _accuracy(runs[INT8]))
            what = f"{name}: accuracy on test, int8 against float32, means of {len(SEEDS)} seeds"
            yield what, "1 point less at most", f"{-lost:+.2f} points: {_listed(runs)}"
        pictures = insects[INT8][0].num_images
        lost = pictures * (_accuracy(insects[FLOAT32]) - _accuracy(insects[INT8]))
        what = f"hymenoptera: right of its {pictures} val pictures, likewise"
        yield what, "3 less at most", f"{-lost:+.1f} pictures: {_listed(insects)}"


def _train(folder: Path, name: str, body: str, seed: int) -> _Run:
    settings = (f"model.body={body}", f"train.seed={seed}", f"data.split.seed={seed}")
    options = [word for setting in settings for word in ("--set", setting)]
    command = (*DLCLI, "train", DATA / name, "--effort", "quick", "--json", "--quiet", *options)
    environment = {"DLCLI_CACHE": str(folder / "cache"), "DLCLI_RUNS": str(folder / "runs")}
    result = json.loads(run(command, **environment).stdout)
    report = result["test"] or result["val"]
    return _Run(Path(result["run"]), report["accuracy"], report["num_images"])


def _speed(bodies: dict[str, Path]) -> Iterator[Row]:
    """Features a second on all threads, as a training computes them, taken in turns; then by the
    processor's own time, which no other program's work is in."""
    photos = sorted((DATA / "animals5" / "test").glob("*/*"))
    pixels = np.stack([read_image(photo, PixelFormat()) for photo in photos[:: len(photos) // 64]])
    pixels = pixels[:NUM_PICTURES]
    opened = {body: LiteRtBody(path, (224, 224)) for body, path in bodies.items()}
    wall: dict[str, list[float]] = {body: [] for body in BODIES}
    processor: dict[str, list[float]] = {body: [] for body in BODIES}
    for _ in range(TURNS):
        for name, body in opened.items():
            began, began_processor = time.perf_counter(), time.process_time()
            _features(body, pixels)
            wall[name].append(len(pixels) / (time.perf_counter() - began))
            processor[name].append(len(pixels) / (time.process_time() - began_processor))
    known = {True: "has", False: "has no", None: "may have"}[has_int8_products()]
    what = f"features a second, int8 against float32 (this processor {known} int8 products)"
    yield what, ">= 2.2x", _ratio(wall)
    yield "the same, a second of the processor", "", _ratio(processor)


def _features(body: LiteRtBody, pixels: NDArray[np.uint8]) -> None:
    chunks = [pixels[start : start + CHUNK] for start in range(0, len(pixels), CHUNK)]
    assert sum(len(rows) for rows in in_order(body.features, chunks, num_threads())) == len(pixels)


def _ratio(speeds: dict[str, list[float]]) -> str:
    int8, float32 = (statistics.median(speeds[body]) for body in (INT8, FLOAT32))
    return f"{int8 / float32:.2f}x: {int8:.0f}/s against {float32:.0f}/s"


def _accuracy(runs: Sequence[_Run]) -> float:
    return statistics.mean(one.accuracy for one in runs)


def _listed(runs: dict[str, list[_Run]]) -> str:
    def each(body: str) -> str:
        return ", ".join(f"{one.accuracy:.3f}" for one in runs[body])

    return f"{each(INT8)} against {each(FLOAT32)}"
