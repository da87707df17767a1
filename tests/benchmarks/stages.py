"""Epochs from kept activations against epochs of the same layers in full, what checkpoints and
progress cost, and the memory that a large folder takes."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.benchmarks.measure import DLCLI, run
from tests.benchmarks.pictures import write_small_pictures
from tests.conftest import SHARED

Row = tuple[str, str, str]
ANIMALS = SHARED / "data" / "animals5" / "train"
HERE = Path(__file__).parent
BLOCKS, TURNS, FIT_TURNS = (1, 3), 3, 5
NUM_PICTURES, SIDE = 20_000, 256
NUM_ARRAYS, ARRAY_SIDE = 6_400, 28
SMALL = """
data: {image_size: 28, color: grayscale}
model:
  layers:
    - rescaling: {scale: 0.0078, offset: -1}
    - repeat: 2
      layers: [{conv2d: {filters: 24, kernel_size: 3}}, batch_normalization, relu, max_pooling2d]
    - global_average_pooling2d
"""
ONE_EPOCH = "train.stages=[{trainable: head}, {trainable: {last: 3}, epochs: 1, views: 1}]"


def rows() -> Iterator[Row]:
    """(what, at least, measured)"""
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as name:
        folder = Path(name)
        environment = {"DLCLI_CACHE": str(folder / "cache"), "DLCLI_RUNS": str(folder / "runs")}
        if ANIMALS.exists():
            yield from _epochs(environment)
        else:
            yield "epochs from kept activations", "present", f"absent: {ANIMALS}"
        yield from _fits(folder)
        yield from _memory(folder, environment)


def _epochs(environment: dict[str, str]) -> Iterator[Row]:
    """Taken in turns."""
    script = HERE / "stage_epochs.py"
    for last in BLOCKS:
        speeds: dict[str, list[float]] = {"kept": [], "full": []}
        for _ in range(TURNS):
            for kind, found in speeds.items():
                command = (sys.executable, script, kind, ANIMALS, last)
                found.append(float(run(command, **environment).stdout))
        kept, full = (statistics.median(speeds[kind]) for kind in ("kept", "full"))
        what = f"an epoch of last: {last} from kept activations against the same layers in full"
        yield what, ">= 3x", f"{kept / full:.1f}x: {kept:.0f} against {full:.0f} pictures a second"


def _fits(folder: Path) -> Iterator[Row]:
    """A small network, whose steps take little: there what is around them costs most. In turns."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (NUM_ARRAYS, ARRAY_SIDE, ARRAY_SIDE), np.uint8)
    np.savez(folder / "arrays.npz", pixels=pixels, labels=rng.integers(0, 10, NUM_ARRAYS))
    spec = folder / "small.yaml"
    spec.write_text(SMALL, encoding="ascii")
    speeds: dict[str, list[float]] = {"dlcli": [], "watched": [], "bare": []}
    for _ in range(FIT_TURNS):
        for kind, found in speeds.items():
            command = (sys.executable, HERE / "keras_fit.py", kind, folder / "arrays.npz", spec)
            found.append(float(run(command).stdout))
    alone, watched, bare = (statistics.median(found) for found in speeds.values())
    detail = f"{alone / bare:.2f}x: {alone:.0f} against {bare:.0f} pictures/s"
    yield "a fit against a bare fit of Keras on arrays in memory", ">= 1.0x", detail
    detail = f"{100 * (alone / watched - 1):+.1f} %: {watched:.0f} against {alone:.0f} pictures/s"
    yield "what a live view and checkpoints add to the time of a fit", "<= 3 %", detail


def _memory(folder: Path, environment: dict[str, str]) -> Iterator[Row]:
    pictures = write_small_pictures(folder / "pictures", NUM_PICTURES, SIDE)
    for what, options in (
        ("with the default effort", ()),
        ("an epoch of last: 3", ("--set", ONE_EPOCH)),
    ):
        done = run((*DLCLI, "train", pictures, "--json", "--quiet", *options), **environment)
        stages = ", ".join(stage["name"] for stage in json.loads(done.stdout)["stages"])
        detail = f"{done.peak_megabytes:.0f} MB ({stages}; {done.seconds:.0f} s)"
        yield f"peak memory of training {NUM_PICTURES:,} pictures, {what}", "<= 2.5 GB", detail
