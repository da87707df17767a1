"""Whether photos of classes never seen are called unknown, and a model's own are not."""

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
SEEDS = range(5)
FOREIGN = {"animals5": ("hymenoptera", "clothing10"), "clothing10": ("hymenoptera", "animals5")}


def rows() -> Iterator[Row]:
    """The share called unknown of each model's own pictures and of foreign ones."""
    if not DATA.exists():
        yield said("photos of classes never seen", f"absent: {DATA}", asked="present")
        return
    for name, others in FOREIGN.items():
        with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as work:
            found = _Asked(Path(work), name)
            yield from found.rows(others)


class _Asked:
    """A run for each seed, and what they say of other folders."""

    def __init__(self, work: Path, name: str) -> None:
        self.name = name
        self.environment = {"DLCLI_CACHE": str(work / "cache"), "DLCLI_RUNS": str(work / "runs")}
        for seed in SEEDS:
            seeds = ("--set", f"train.seed={seed}", "--set", f"data.split.seed={seed}")
            command = (*DLCLI, "train", DATA / name, *seeds, "--name", f"seed-{seed}", "--quiet")
            run(command, **self.environment)

    def rows(self, others: tuple[str, ...]) -> Iterator[Row]:
        own = f"{self.name}: its own test pictures called unknown"
        yield self.row(own, "<= 10 %", DATA / self.name / "test")
        for other in others:
            foreign = f"{self.name}: pictures of {other} called unknown"
            yield self.row(foreign, ">= 97 %", DATA / other)

    def row(self, what: str, asked: str, folder: Path) -> Row:
        shares = self.shares(folder)
        return Row(what, _percent(shares), asked, described(folder), "share", tuple(shares))

    def shares(self, folder: Path) -> list[float]:
        """Of the pictures in a folder that are unknown, for each seed."""
        found = []
        for seed in SEEDS:
            command = (*DLCLI, "predict", folder, "--run", f"seed-{seed}", "--json", "--quiet")
            lines = run(command, **self.environment).stdout.splitlines()
            found.append(float(np.mean([json.loads(line)["unknown"] for line in lines])))
        return found


def _percent(shares: list[float]) -> str:
    listed = ", ".join(f"{100 * share:.1f}" for share in shares)
    return f"{100 * np.mean(shares):.1f} % ({listed})"
