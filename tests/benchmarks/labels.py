"""Labels moved at random, and foreign photos, as `dlcli check --labels` finds them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from dlcli.commands.label_check import LabelIssue, find_label_issues
from dlcli.data.index import DatasetIndex, index_dataset
from dlcli.events import NullReporter
from tests.benchmarks.measure import DLCLI, run
from tests.conftest import SHARED

Row = tuple[str, str, str]
DATA = SHARED / "data"
SETS = {"animals5": (0.9, 0.9), "clothing10": (0.55, 0.8)}
"""At least this precision and recall."""

SHARE, SEEDS = 0.05, (0, 1, 2)
FOREIGN = (
    "banjo", "crib", "espresso_maker", "laptop", "manhole_cover", "motor_scooter", "quilt",
    "refrigerator", "schooner", "traffic_light",
)  # fmt: skip
SPEC = ("--set", "train.epochs=12")


def rows() -> Iterator[Row]:
    """(what, at least, measured) of what a run says of the labels of real photos."""
    if not DATA.exists():
        yield "labels of real photos", "present", f"absent: {DATA}"
        return
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as name, pytest.MonkeyPatch.context() as m:
        folder = Path(name)
        m.setenv("DLCLI_CACHE", str(folder / "cache"))
        for name, promised in SETS.items():
            yield from _rows_of(name, promised, folder)


def _rows_of(name: str, promised: tuple[float, float], folder: Path) -> Iterator[Row]:
    index = index_dataset(DATA / name / "train")
    unmoved = _find(index, "imagenet", folder)
    yield f"{name} as it is, imagenet", "", _counts(unmoved, len(index.files))
    trials = []
    for seed in SEEDS:
        moved = move_labels(index, seed)
        trials.append(_score(_find(moved.index, "imagenet", folder), moved.rows))
    what = f"{name}, {SHARE:.0%} moved, imagenet"
    yield from _quality(what, trials, promised)
    yield from _trained(name, index, folder)
    foreign = _find(index_dataset(link(index, folder / f"{name}-foreign", FOREIGN)), ...)


@dataclass(frozen=True)
class Moved:
    """An index with some labels moved, and their rows."""

    index: DatasetIndex
    rows: frozenset[int]
