"""A whole training against the recipe of the Keras guide on the same pictures: how soon it is as
right on val as that ever becomes, and how right it is on test in the end."""

from __future__ import annotations

import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.measure import DLCLI, run
from tests.benchmarks.pictures import described
from tests.benchmarks.row import Row, against, said
from tests.conftest import SHARED

DATA = SHARED / "data"
GUIDE = Path(__file__).with_name("keras_guide.py")
SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class _Reached:
    """Val accuracies in their order, each with the seconds since the process began; and the
    accuracy on test, where there is one."""

    moments: tuple[tuple[float, float], ...]
    test: float | None

    @property
    def best(self) -> float:
        return max(accuracy for _, accuracy in self.moments)

    def seconds_until(self, accuracy: float) -> float | None:
        """When val was first that accurate; None if it never was."""
        return next((seconds for seconds, reached in self.moments if reached >= accuracy), None)

    @property
    def seconds(self) -> float:
        """Of all of it."""
        return self.moments[-1][0]


def rows() -> Iterator[Row]:
    """The time and the accuracy of three seeds, on three data sets."""
    if not DATA.exists():
        yield said("whole trainings on photos", f"absent: {DATA}", asked="present")
        return
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as folder:
        for name, share in (("hymenoptera", "1/2"), ("clothing10", "1/3"), ("animals5", "")):
            yield from _compare(Path(folder) / name, name, share)


def _compare(folder: Path, name: str, share: str) -> Iterator[Row]:
    folder.mkdir()
    ours = [_train(folder, name, seed) for seed in SEEDS]
    heads = [_train(folder, name, seed, "--effort", "quick") for seed in SEEDS]
    # Its time does not depend on the seed; three trainings of it take an hour.
    guide = _follow_guide(folder, name, SEEDS[0])
    yield _time(name, f"<= {share}" if share else "", ours[0], guide)
    whole, heads_alone = ([one.seconds for one in found] for found in (ours, heads))
    what = f"{name}: the whole command, default effort against the head alone"
    yield against(what, whole, heads_alone, "s", data=described(DATA / name))
    if guide.test is not None:
        yield from _accuracies(name, _tests(ours), _tests(heads), guide.test)


def _time(name: str, asked: str, ours: _Reached, guide: _Reached) -> Row:
    what = f"{name}: seconds until val is as right as the guide's recipe ever is ({guide.best:.3f})"
    data = described(DATA / name)
    our_seconds, theirs = ours.seconds_until(guide.best), guide.seconds_until(guide.best)
    if our_seconds is None or theirs is None:
        return said(what, "never", asked=asked, data=data)
    return against(what, [our_seconds], [theirs], "s", asked=asked, data=data)


def _accuracies(
    name: str, ours: tuple[float, ...], heads: tuple[float, ...], guide: float
) -> Iterator[Row]:
    mean, head_mean = statistics.mean(ours), statistics.mean(heads)
    listed = ", ".join(f"{one:.3f}" for one in ours)
    data = described(DATA / name / "test")
    yield Row(
        f"{name}: accuracy on test, mean of {len(SEEDS)} seeds, against the guide's recipe",
        f"{mean:.3f} ({listed}) against {guide:.3f} (seed {SEEDS[0]})",
        asked=">= it",
        data=data,
        unit="share",
        values=ours,
        baseline=(guide,),
    )
    yield Row(
        f"{name}: the same against the head alone",
        f"{100 * (mean - head_mean):+.2f} points ({head_mean:.3f})",
        asked=">= 1 point more" if name == "clothing10" else "",
        data=data,
        unit="share",
        values=ours,
        baseline=heads,
    )


def _tests(reached: list[_Reached]) -> tuple[float, ...]:
    """The accuracies on test."""
    return tuple(one.test or 0.0 for one in reached)


def _train(folder: Path, name: str, seed: int, *more: str) -> _Reached:
    """Nothing is kept from before but the converted body, which a machine makes once."""
    cache = folder / "cache"
    subprocess.run(["rm", "-rf", *map(str, cache.glob("[!b]*"))], check=True)
    options = ("--set", f"train.seed={seed}", "--set", f"data.split.seed={seed}", *more)
    run_name = f"seed-{seed}{''.join(more)}"
    command = [*DLCLI, "train", str(DATA / name), "--json", "--name", run_name, *options]
    environment = {"DLCLI_CACHE": str(cache), "DLCLI_RUNS": str(folder / "runs")}
    if not cache.exists():
        run((*command, "--set", "train.stages=[{trainable: head}]", "--set", "data.split.seed=99",
             "--name", "first"), **environment)  # fmt: skip
    began = time.time()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **environment},
    )  # fmt: skip
    moments = []
    assert process.stderr is not None and process.stdout is not None  # noqa: PT018
    for line in process.stderr:
        if "val accuracy" in line:
            reached = float(line.partition("val accuracy")[2].split()[0])
            moments.append((time.time() - began, reached))
    document = json.loads(process.stdout.read())
    process.wait()
    moments.append((time.time() - began, document["val"]["accuracy"]))
    return _Reached(tuple(moments), document["test"] and document["test"]["accuracy"])


def _follow_guide(folder: Path, name: str, seed: int) -> _Reached:
    """On the very pictures that the run of that seed was trained and measured on."""
    split = folder / "runs" / f"seed-{seed}" / "split.csv"
    with split.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            source = Path(row["path"])
            target = folder / "guide" / row["split"] / row["label"] / source.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source if source.is_absolute() else DATA / name / source)
    parts = [folder / "guide" / part for part in ("train", "val", "test")]
    test = str(parts[2]) if parts[2].exists() else "-"
    command = (sys.executable, GUIDE, parts[0], parts[1], test, seed)
    lines = [json.loads(line) for line in run(command).stdout.splitlines()]
    moments = [(line["seconds"], line["val_accuracy"]) for line in lines if "seconds" in line]
    return _Reached(tuple(moments), next((x["accuracy"] for x in lines if "accuracy" in x), None))
