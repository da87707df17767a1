"""Labels moved at random, and photos of foreign things, as `dlcli check --labels` finds them."""

from __future__ import annotations

import csv
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np

from dlcli.commands.label_check import LabelIssue, find_label_issues
from dlcli.data.index import index_dataset
from dlcli.events import NullReporter
from tests.benchmarks.measure import DLCLI, run
from tests.conftest import SHARED

Row = tuple[str, str, str]
Picture = tuple[Path, str]
Trial = tuple[Sequence[LabelIssue], frozenset[int]]
DATA = SHARED / "data"
SETS = {"animals5": (0.9, 0.9), "clothing10": (0.6, 0.8)}
"""At least this precision and recall of the first share, with `imagenet`."""

SHARES, SEEDS = (0.05, 0.2), (0, 1, 2)
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
        with patch.dict(os.environ, {"DLCLI_CACHE": str(bench.folder / "cache")}):
            for name, promised in SETS.items():
                yield from bench.judge(name, promised)


class _Bench:
    """A folder for manifests and runs, and a cache of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def judge(self, name: str, promised: tuple[float, float]) -> Iterator[Row]:
        files = sorted((DATA / name / "train").glob("*/*"))
        pictures = [(path, path.parent.name) for path in files]
        unmoved, _ = self.find(f"{name}.csv", pictures)
        yield f"{name}, labels as they are", "", _counts(unmoved, len(pictures))
        _, seconds = self.find(f"{name}.csv", pictures)
        yield "the same again", "", f"{seconds:.1f} s"
        for share in SHARES:
            trials = [self.trial(f"{name}.csv", pictures, share, seed) for seed in SEEDS]
            what = f"{name}, {share:.0%} of {len(pictures)} labels moved"
            yield from _quality(what, trials, promised if share == SHARES[0] else None)
        for template in ("transfer", "scratch"):
            trained = self.trial(f"{name}-{template}.csv", pictures, SHARES[0], SEEDS[0], template)
            what = f"{name}, by a run on the moved labels, template {template}"
            yield from _quality(what, [trained], None)
        yield from self.foreign(name, pictures)

    def trial(
        self,
        manifest: str,
        pictures: Sequence[Picture],
        share: float,
        seed: int,
        template: str | None = None,
    ) -> Trial:
        """What is found where labels were moved, by `imagenet` or by a run trained on them."""
        moved, places = move_labels(pictures, share, seed)
        if template is None:
            return self.find(manifest, moved)[0], places
        self.write(manifest, moved)
        return self.find(manifest, moved, self.train(manifest, template))[0], places

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
        self.write(manifest, pictures)
        index = index_dataset(self.folder / manifest)
        started = time.perf_counter()
        readable = range(len(index.files))
        runs = self.folder / "runs"
        found = find_label_issues(index, readable, run_name, runs, NullReporter())
        return found, time.perf_counter() - started

    def write(self, manifest: str, pictures: Sequence[Picture]) -> None:
        with open(self.folder / manifest, "w", newline="") as file:
            csv.writer(file).writerows([("path", "label"), *pictures])

    def train(self, manifest: str, template: str) -> str:
        """The name of a run on the pictures of a manifest."""
        spec, name = self.folder / "spec.yaml", Path(manifest).stem
        run((*DLCLI, "init", "--template", template, "-o", spec, "--force"))
        options = ["--set", f"data.folder={self.folder / manifest}"]
        if template == "scratch":
            options += ["--set", "train.epochs=10"]
        environment = {"DLCLI_RUNS": str(self.folder / "runs")}
        run((*DLCLI, "train", spec, *options, "--name", name, "--quiet"), **environment)
        return name


def move_labels(
    pictures: Sequence[Picture], share: float, seed: int
) -> tuple[list[Picture], frozenset[int]]:
    """The pictures with a share of the labels replaced by other ones at random, and which."""
    rng = np.random.default_rng(seed)
    classes = sorted({label for _, label in pictures})
    places = rng.choice(len(pictures), round(share * len(pictures)), replace=False)
    moved = list(pictures)
    for place in places:
        path, label = pictures[place]
        moved[place] = (path, str(rng.choice([name for name in classes if name != label])))
    return moved, frozenset(places.tolist())


def _quality(
    what: str,
    trials: Sequence[Trial],
    promised: tuple[float, float] | None,
) -> Iterator[Row]:
    """Means over the trials; the worst N are as many as were moved."""
    precisions, recalls, worst, flagged = [], [], [], []
    for found, places in trials:
        hits = [issue.row in places for issue in found if issue.kind == "unlikely_label"]
        precisions.append(sum(hits) / max(len(hits), 1))
        recalls.append(sum(hits) / len(places))
        worst.append(sum(hits[: len(places)]) / len(places))
        flagged.append(len(hits))
    least = [f">= {value}" for value in promised] if promised else ["", ""]
    listed = f"{np.mean(precisions):.2f} of {np.mean(flagged):.0f} found"
    yield f"{what}: precision", least[0], listed
    yield "the same: recall", least[1], f"{np.mean(recalls):.2f}"
    yield "the same: of the worst N, N labels moved", "", f"{np.mean(worst):.2f}"


def _counts(found: Sequence[LabelIssue], num_pictures: int) -> str:
    labels = sum(issue.kind == "unlikely_label" for issue in found)
    return f"{labels} unlikely labels and {len(found) - labels} outliers of {num_pictures}"
