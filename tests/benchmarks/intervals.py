"""Whether the interval that a run gives its accuracy holds on pictures that were neither in its
training nor in its test part."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.measure import DLCLI, run
from tests.benchmarks.pictures import described
from tests.benchmarks.row import Row, said
from tests.conftest import SHARED

DATA = SHARED / "data"
SEEDS = range(20)
LEAST = 17


def rows() -> Iterator[Row]:
    """Of how many seeds the interval holds, for two data sets."""
    for name, untouched in (("animals5", "test"), ("hymenoptera", "val")):
        folder = DATA / name
        if not folder.exists():
            yield said(f"intervals on {name}", f"absent: {folder}", asked="present")
            continue
        with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as work:
            yield _count(folder / "train", folder / untouched, Path(work))


def _count(train: Path, untouched: Path, work: Path) -> Row:
    environment = {"DLCLI_CACHE": str(work / "cache"), "DLCLI_RUNS": str(work / "runs")}
    held, below, above = 0, 0, 0
    for seed in SEEDS:
        seeds = ("--set", f"train.seed={seed}", "--set", f"data.split.seed={seed}")
        name = f"seed-{seed}"
        trained = run(
            (*DLCLI, "train", train, *seeds, "--name", name, "--json", "--quiet"), **environment
        )
        low, high = json.loads(trained.stdout)["test"]["accuracy_interval"]
        asked = (*DLCLI, "evaluate", untouched, "--run", name, "--json", "--quiet")
        accuracy = json.loads(run(asked, **environment).stdout)["report"]["accuracy"]
        held += low <= accuracy <= high
        below += accuracy < low
        above += accuracy > high
    what = f"{untouched.parent.name}: runs whose interval holds on {untouched.name}/"
    detail = f"{held} of {len(SEEDS)} ({below} were less right there, {above} more)"
    least = f">= {LEAST} of {len(SEEDS)}"
    return Row(what, detail, least, described(untouched), "runs", (held,))
