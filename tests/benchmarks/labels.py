"""Labels moved at random, and photos of foreign things, as `dlcli check --labels` finds them."""

from __future__ import annotations

import csv
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dlcli.commands.label_check import LabelIssue, find_label_issues
from dlcli.data.index import index_dataset
from dlcli.events import NullReporter
from tests.benchmarks.measure import DLCLI, run
from tests.conftest import SHARED

Row = tuple[str, str, str]
Picture = tuple[Path, str]
DATA = SHARED / "data"
SETS = {"animals5": (0.9, 0.9), "clothing10": (0.6, 0.8)}
"""At least this precision and recall, with `imagenet`."""

SHARE, SEEDS = 0.05, (0, 1, 2)
FOREIGN = (
    "banjo", "crib", "espresso_maker", "laptop", "manhole_cover", "motor_scooter", "quilt",
    "refrigerator", "schooner", "traffic_light",
)  # fmt: skip


def rows() -> Iterator[Row]:
    """(what, at least, measured) of what a run says of the labels of real photos."""
    if not DATA.exists():
        yield "labels of real photos", "present", f"absent: {DATA}"
        return
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as folder:
        bench = _Bench(Path(folder))
        before = os.environ.get("DLCLI_CACHE")
        os.environ["DLCLI_CACHE"] = str(bench.folder / "cache")
        try:
            for name, promised in SETS.items():
                yield from bench.judge(name, promised)
        finally:
            os.environ.pop("DLCLI_CACHE")
            if before is not None:
                os.environ["DLCLI_CACHE"] = before


class _Bench:
    """A folder for manifests and runs, and a cache of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def judge(self, name: str, promised: tuple[float, float]) -> Iterator[Row]:
        pictures = [
            (path, path.parent.name) for path in sorted((DATA / name / "train").glob("*/*"))
        ]
        unmoved, _ = self.find(f"{name}.csv", pictures)
        yield f"{name}, labels as they are", "", _counts(unmoved, len(pictures))
        _, seconds = self.find(f"{name}.csv", pictures)
        yield "the same again: seconds", "", f"{seconds:.1f} s"
        trials = []
        for seed in SEEDS:
            moved, places = move_labels(pictures, seed)
            found, _ = self.find(f"{name}-{seed}.csv", moved)
            trials.append((found, places))
        yield from _quality(
            f"{name}, {SHARE:.0%} of {len(pictures)} labels moved", trials, promised
        )
        run_name = self.train(f"{name}-{SEEDS[0]}.csv")
        moved, places = move_labels(pictures, SEEDS[0])
        found, _ = self.find(f"{name}-{SEEDS[0]}.csv", moved, run_name)
        what = f"{name}, by a small network trained from nothing on the moved labels"
        yield from _quality(what, [(found, places)], None)
        yield from self.foreign(name, pictures)

    def foreign(self, name: str, pictures: Sequence[Picture]) -> Iterator[Row]:
        photos = sorted((DATA / "imagenet_100").glob("*.JPEG"))
        strange = [photo for photo in photos if photo.stem.partition("_")[2] in FOREIGN]
        if len(strange) != len(FOREIGN):
            raise FileNotFoundError(f"{len(strange)} of {len(FOREIGN)} photos in {DATA}")
        classes = sorted({label for _, label in pictures})
        added = [(photo, classes[n % len(classes)]) for n, photo in enumerate(strange)]
        found, _ = self.find(f"{name}-foreign.csv", [*pictures, *added])
        outliers = [issue.row for issue in found if issue.kind == "outlier"]
        hits = sum(row >= len(pictures) for row in outliers)
        what = f"{name}, {len(added)} foreign photos added: found as outliers"
        yield what, ">= 8", f"{hits} (and {len(outliers) - hits} others)"

    def find(
        self, manifest: str, pictures: Sequence[Picture], run_name: str = "imagenet"
    ) -> tuple[list[LabelIssue], float]:
        """What the run finds, and the seconds it took."""
        with open(self.folder / manifest, "w", newline="") as file:
            csv.writer(file).writerows([("path", "label"), *pictures])
        index = index_dataset(self.folder / manifest)
        started = time.perf_counter()
        readable = range(len(index.files))
        runs = self.folder / "runs"
        found = find_label_issues(index, readable, run_name, runs, NullReporter())
        return found, time.perf_counter() - started

    def train(self, manifest: str) -> str:
        """A run on the pictures of a manifest, of the scratch template."""
        spec, name = self.folder / "scratch.yaml", Path(manifest).stem
        run((*DLCLI, "init", "--template", "scratch", "-o", spec, "--force"))
        options = ("--set", f"data.folder={self.folder / manifest}", "--set", "train.epochs=10")
        environment = {"DLCLI_RUNS": str(self.folder / "runs")}
        run((*DLCLI, "train", spec, *options, "--name", name, "--quiet"), **environment)
        return name


def move_labels(pictures: Sequence[Picture], seed: int) -> tuple[list[Picture], frozenset[int]]:
    """The pictures with a share of the labels replaced by other ones at random, and which."""
    rng = np.random.default_rng(seed)
    classes = sorted({label for _, label in pictures})
    places = rng.choice(len(pictures), round(SHARE * len(pictures)), replace=False)
    moved = list(pictures)
    for place in places:
        path, label = pictures[place]
        moved[place] = (path, str(rng.choice([name for name in classes if name != label])))
    return moved, frozenset(places.tolist())


def _quality(
    what: str,
    trials: Sequence[tuple[Sequence[LabelIssue], frozenset[int]]],
    promised: tuple[float, float] | None,
) -> Iterator[Row]:
    """Means over the trials; the worst N are as many as were moved."""
    precisions, recalls, worst, flagged = [], [], [], []
    for found, places in trials:
        hits = [issue.row in places for issue in found if issue.kind == "unlikely_label"]
        precisions.append(np.mean(hits or [0.0]))
        recalls.append(sum(hits) / len(places))
        worst.append(sum(hits[: len(places)]) / len(places))
        flagged.append(len(hits))
    least = [f">= {value}" for value in promised] if promised else ["", ""]
    listed = f"{np.mean(precisions):.2f} of {np.mean(flagged):.0f} found"
    yield f"{what}: precision", least[0], listed
    yield "the same: recall", least[1], f"{np.mean(recalls):.2f}"
    yield "the same: found among as many as were moved, the worst", "", f"{np.mean(worst):.2f}"


def _counts(found: Sequence[LabelIssue], num_pictures: int) -> str:
    labels = sum(issue.kind == "unlikely_label" for issue in found)
    return f"{labels} unlikely labels and {len(found) - labels} outliers of {num_pictures}"
