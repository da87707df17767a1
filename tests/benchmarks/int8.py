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
from tests.benchmarks.pictures import described
from tests.benchmarks.row import Row, against, said
from tests.conftest import SHARED

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

    @property
    def num_right(self) -> int:
        return round(self.accuracy * self.num_images)


def rows() -> Iterator[Row]:
    """The speed and the size of the bodies, and how right the runs on them are."""
    if not DATA.exists():
        yield said("int8 bodies on photos", f"absent: {DATA}", asked="present")
        return
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as folder:
        animals, clothing, insects = (
            {body: [_train(Path(folder), name, body, seed) for seed in SEEDS] for body in BODIES}
            for name in ("animals5", "clothing10", "hymenoptera")
        )
        first = {body: runs[0].body for body, runs in animals.items()}
        yield from _speed(first)
        int8, float32 = ([first[body].stat().st_size / 1e6] for body in (INT8, FLOAT32))
        yield against("size of the body", int8, float32, "MB", data="a run on animals5")
        for name, runs in (("animals5", animals), ("clothing10", clothing)):
            yield _points(name, runs)
        yield _pictures("hymenoptera", insects)
        yield from _exports(Path(folder), animals[FLOAT32][0])


def _points(name: str, runs: dict[str, list[_Run]]) -> Row:
    lost = 100 * (_accuracy(runs[FLOAT32]) - _accuracy(runs[INT8]))
    return Row(
        f"{name}: accuracy on test, int8 against float32, means of {len(SEEDS)} seeds",
        f"{-lost:+.2f} points: {_listed(runs)}",
        asked="1 point less at most",
        data=described(DATA / name / "test"),
        unit="share",
        values=tuple(one.accuracy for one in runs[INT8]),
        baseline=tuple(one.accuracy for one in runs[FLOAT32]),
    )


def _pictures(name: str, runs: dict[str, list[_Run]]) -> Row:
    pictures = runs[INT8][0].num_images
    lost = pictures * (_accuracy(runs[FLOAT32]) - _accuracy(runs[INT8]))
    return Row(
        f"{name}: right of its {pictures} val pictures, likewise",
        f"{-lost:+.1f} pictures: {_listed(runs)}",
        asked="3 less at most",
        data=described(DATA / name / "val"),
        unit="pictures",
        values=tuple(one.num_right for one in runs[INT8]),
        baseline=tuple(one.num_right for one in runs[FLOAT32]),
    )


def _exports(folder: Path, trained: _Run) -> Iterator[Row]:
    """What a float32 run loses where its export is quantised."""
    found: dict[str, list[float]] = {}
    environment = {"DLCLI_CACHE": str(folder / "cache")}
    tested = DATA / "animals5" / "test"
    for name, options in ((FLOAT32, ()), (INT8, ("--quantize", "int8"))):
        target = folder / f"export-{name}"
        written = ("export", "--run", trained.folder, "--format", "litert", "-o", target)
        run((*DLCLI, *written, *options), **environment)
        asked = ("evaluate", tested, "--run", target, "--json", "--quiet")
        report = json.loads(run((*DLCLI, *asked), **environment).stdout)["report"]
        size = (target / "model.tflite").stat().st_size / 1e6
        found[name] = [report["accuracy"] * report["num_images"], size]
    right, sizes = zip(*(found[name] for name in (INT8, FLOAT32)), strict=True)
    what = "export --quantize int8: right of the test pictures"
    asked = "1 point less at most"
    yield against(what, right[:1], right[1:], "pictures", asked=asked, data=described(tested))
    what = "export --quantize int8: size of the file"
    yield against(what, sizes[:1], sizes[1:], "MB", asked="<= 1/3", data="a run on animals5")


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
    data, unit = f"{NUM_PICTURES} photos of animals5/test", "features/s"
    yield against(what, wall[INT8], wall[FLOAT32], unit, asked=">= 2.2x", data=data)
    what = "the same, a second of the processor"
    yield against(what, processor[INT8], processor[FLOAT32], unit, data=data)


def _features(body: LiteRtBody, pixels: NDArray[np.uint8]) -> None:
    chunks = [pixels[start : start + CHUNK] for start in range(0, len(pixels), CHUNK)]
    assert sum(len(rows) for rows in in_order(body.features, chunks, num_threads())) == len(pixels)


def _accuracy(runs: Sequence[_Run]) -> float:
    return statistics.mean(one.accuracy for one in runs)


def _listed(runs: dict[str, list[_Run]]) -> str:
    def each(body: str) -> str:
        return ", ".join(f"{one.accuracy:.3f}" for one in runs[body])

    return f"{each(INT8)} against {each(FLOAT32)}"
