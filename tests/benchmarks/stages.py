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
from tests.benchmarks.pictures import described, made, write_small_pictures
from tests.benchmarks.row import Row, against, said, sides
from tests.conftest import SHARED

ANIMALS, CLOTHING = SHARED / "data" / "animals5" / "train", SHARED / "data" / "clothing10"
LIMITS = (20, 60, 120)
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
    """The speed of epochs and of fits, and the memory of trainings."""
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as name:
        folder = Path(name)
        environment = {"DLCLI_CACHE": str(folder / "cache"), "DLCLI_RUNS": str(folder / "runs")}
        if ANIMALS.exists():
            yield from _epochs(environment)
        else:
            yield said("epochs from kept activations", f"absent: {ANIMALS}", asked="present")
        if CLOTHING.exists():
            yield from _limits(environment)
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
        what = f"an epoch of last: {last} from kept activations against the same layers in full"
        kept, full, data = speeds["kept"], speeds["full"], described(ANIMALS)
        yield against(what, kept, full, "pictures/s", asked=">= 3x", data=data)


def _limits(environment: dict[str, str]) -> Iterator[Row]:
    """Whole commands, the body converted before: `--max-time` counts from the start."""
    training = (*DLCLI, "train", CLOTHING, "--json", "--quiet")
    run((*training, "--effort", "quick", "--set", "data.split.seed=99"), **environment)
    for limit in LIMITS:
        limited = (*training, "--effort", "best", "--max-time", f"{limit}s")
        taken = run(limited, **environment).seconds
        what, data = f"--effort best --max-time {limit}s, the whole command", described(CLOTHING)
        yield against(what, [taken], [float(limit)], "s", asked="<= 1.1x", data=data)


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
    yield from _compare_fits(*speeds.values())


def _compare_fits(unwatched: list[float], watched: list[float], bare: list[float]) -> Iterator[Row]:
    """Of the pictures a second of each."""
    data, unit = f"made: {NUM_ARRAYS:,} noise pictures of {ARRAY_SIDE} px", "pictures/s"
    what = "a fit against a bare fit of Keras on arrays in memory"
    yield against(what, unwatched, bare, unit, asked=">= 1.0x", data=data)
    added = statistics.median(unwatched) / statistics.median(watched) - 1
    yield Row(
        "what a live view and checkpoints add to the time of a fit",
        f"{100 * added:+.1f} %: {sides(watched, unwatched, unit)}",
        asked="<= 3 %",
        data=data,
        unit=unit,
        values=tuple(watched),
        baseline=tuple(unwatched),
    )


def _memory(folder: Path, environment: dict[str, str]) -> Iterator[Row]:
    pictures = write_small_pictures(folder / "pictures", NUM_PICTURES, SIDE)
    for what, options in (
        ("with the default effort", ()),
        ("an epoch of last: 3", ("--set", ONE_EPOCH)),
    ):
        done = run((*DLCLI, "train", pictures, "--json", "--quiet", *options), **environment)
        stages = ", ".join(stage["name"] for stage in json.loads(done.stdout)["stages"])
        detail = f"{done.peak_megabytes:.0f} MB ({stages}; {done.seconds:.0f} s)"
        yield Row(
            f"peak memory of training {NUM_PICTURES:,} pictures, {what}",
            detail,
            asked="<= 2.5 GB",
            data=made(NUM_PICTURES, SIDE),
            unit="MB",
            values=(done.peak_megabytes,),
        )
