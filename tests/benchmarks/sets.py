"""Whether sets that are to hold the true class in 95 % of cases do."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.benchmarks.measure import DLCLI, run
from tests.benchmarks.pictures import described
from tests.benchmarks.row import Row, said
from tests.conftest import SHARED

DATA = SHARED / "data"
SEEDS = range(10)
COVERAGE = 0.95


def rows() -> Iterator[Row]:
    """How often the sets of many seeds hold the true class, for two data sets."""
    for name in ("animals5", "clothing10"):
        folder = DATA / name / "train"
        if not folder.exists():
            yield said(f"sets on {name}", f"absent: {folder}", asked="present")
            continue
        with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as work:
            yield _row(folder, Path(work))


def _row(folder: Path, work: Path) -> Row:
    environment = {"DLCLI_CACHE": str(work / "cache"), "DLCLI_RUNS": str(work / "runs")}
    held, top, sizes = [], [], []
    for seed in SEEDS:
        seeds = ("--set", f"train.seed={seed}", "--set", f"data.split.seed={seed}")
        name = f"seed-{seed}"
        run((*DLCLI, "train", folder, *seeds, "--name", name, "--quiet"), **environment)
        asked = (*DLCLI, "evaluate", "--run", name, "--coverage", COVERAGE, "--json", "--quiet")
        found = json.loads(run(asked, **environment).stdout)
        held.append(found["coverage"]["coverage"])
        sizes.append(found["coverage"]["mean_size"])
        top.append(found["report"]["accuracy"])
    what = f"{folder.parent.name}: sets for {COVERAGE:.0%} that hold the true class"
    most = f", <= {COVERAGE + 0.02:.0%}" if np.mean(top) < COVERAGE else ""
    detail = (
        f"{np.mean(held):.1%}, {len(SEEDS)} seeds ({min(held):.1%} to {max(held):.1%}), "
        f"{np.mean(sizes):.2f} classes on average; the top class alone {np.mean(top):.1%}"
    )
    least, data = f">= {COVERAGE - 0.02:.0%}", f"the test parts of {described(folder)}"
    return Row(what, detail, f"{least}{most}", data, "share", tuple(held))
