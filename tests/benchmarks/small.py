"""The shipped sample pictures, in a minute: whether the suite runs, and what it costs to do a thing
again. The only benchmark that needs nothing but the repository."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.benchmarks.measure import DLCLI, Measured, repeat, run
from tests.conftest import ROOT

Row = tuple[str, str, str]
ANIMALS = ROOT / "sample_data" / "animals"
PICTURE = ROOT / "sample_data" / "cat.jpg"
TIMES = 3


def rows() -> Iterator[Row]:
    """(what, at least, measured)"""
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as work:
        cache, runs = Path(work) / "cache", Path(work) / "runs"
        kept = {"DLCLI_CACHE": str(cache), "DLCLI_RUNS": str(runs)}
        training = (*DLCLI, "train", ANIMALS, "--quiet")
        run(training, **kept)  # which makes the body ready, once

        def first() -> Measured:
            for name in ("pixels", "features"):
                shutil.rmtree(cache / name, ignore_errors=True)
            return run(training, **kept)

        yield _ratio(
            "sample pictures: a training whose pictures and features are kept, against the first",
            *repeat(TIMES, lambda: run(training, **kept), first),
        )
        libraries = (sys.executable, "-c", "import numpy, PIL.Image, ai_edge_litert.interpreter")
        predicting = (*DLCLI, "predict", PICTURE, "--quiet")
        yield _ratio(
            "one picture: `dlcli predict`, against the start of Python and the three libraries",
            *repeat(TIMES, lambda: run(predicting, **kept), lambda: run(libraries)),
        )


def _ratio(what: str, ours: Sequence[Measured], baseline: Sequence[Measured]) -> Row:
    """The median of the ratios of each round, and the extremes."""
    ratios = [one.seconds / other.seconds for one, other in zip(ours, baseline, strict=True)]
    detail = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
    return what, "", f"{detail} of the time"
