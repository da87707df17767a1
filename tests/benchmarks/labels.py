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
from tests.benchmarks.row import Row, alone, said
from tests.conftest import SHARED

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
    """What a run says of the labels of real photos."""
    if not DATA.exists():
        yield said("labels of real photos", f"absent: {DATA}", asked="present")
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
        data = f"{name}/train, {len(pictures)} photos"
        unmoved, _ = self.find(f"{name}.csv", pictures)
        yield _counts(f"{name}, labels as they are", unmoved, data, len(pictures))
        _, seconds = self.find(f"{name}.csv", pictures)
        yield alone("the same again", [seconds], "s", data=data)
        for share in SHARES:
            trials = [self.trial(f"{name}.csv", pictures, share, seed) for seed in SEEDS]
            what = f"{name}, {share:.0%} of {len(pictures)} labels moved"
            yield from _quality(what, trials, data, promised if share == SHARES[0] else None)
        for template in ("transfer", "scratch"):
            trained = self.trial(f"{name}-{template}.csv", pictures, SHARES[0], SEEDS[0], template)
            what = f"{name}, by a run on the moved labels, template {template}"
            yield from _quality(what, [trained], data, None)
        yield self.foreign(name, pictures, data)

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

    def foreign(self, name: str, pictures: Sequence[Picture], data: str) -> Row:
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
        listed = f"{hits} (and {len(outliers) - hits} others)"
        data = f"{data}, and {len(added)} of imagenet_100"
        return Row(what, listed, ">= 8", data, "photos", (hits,))

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
    data: str,
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
    for name, text, asked, shares in (
        (f"{what}: precision", listed, least[0], precisions),
        ("the same: recall", f"{np.mean(recalls):.2f}", least[1], recalls),
        ("the same: of the worst N, N labels moved", f"{np.mean(worst):.2f}", "", worst),
    ):
        yield Row(name, text, asked, data, "share", tuple(shares))


def _counts(what: str, found: Sequence[LabelIssue], data: str, num_pictures: int) -> Row:
    labels = sum(issue.kind == "unlikely_label" for issue in found)
    listed = f"{labels} unlikely labels and {len(found) - labels} outliers of {num_pictures}"
    return Row(what, listed, data=data, unit="unlikely labels", values=(labels,))
