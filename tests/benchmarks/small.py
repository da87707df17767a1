"""The shipped sample pictures, in a minute: whether the suite runs, and what it costs to do a thing
again. The only benchmark that needs nothing but the repository."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.measure import DLCLI, Measured, repeat, run, seconds
from tests.benchmarks.pictures import SAMPLE_DRAWINGS, SAMPLE_PHOTO
from tests.benchmarks.row import Row, against
from tests.conftest import ROOT

ANIMALS = ROOT / "sample_data" / "animals"
PICTURE = ROOT / "sample_data" / "cat.jpg"
TIMES = 3


def rows() -> Iterator[Row]:
    """A training and a prediction, each against what it cannot do without."""
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as work:
        cache, runs = Path(work) / "cache", Path(work) / "runs"
        kept = {"DLCLI_CACHE": str(cache), "DLCLI_RUNS": str(runs)}
        training = (*DLCLI, "train", ANIMALS, "--quiet")
        run(training, **kept)  # which makes the body ready, once

        def first() -> Measured:
            for name in ("pixels", "features"):
                shutil.rmtree(cache / name, ignore_errors=True)
            return run(training, **kept)

        ours, baseline = repeat(TIMES, lambda: run(training, **kept), first)
        what = "sample pictures: a training whose pictures and features are kept, against the first"
        yield against(what, seconds(ours), seconds(baseline), "s", data=SAMPLE_DRAWINGS)
        libraries = (sys.executable, "-c", "import numpy, PIL.Image, ai_edge_litert.interpreter")
        predicting = (*DLCLI, "predict", PICTURE, "--quiet")
        ours, baseline = repeat(TIMES, lambda: run(predicting, **kept), lambda: run(libraries))
        what = "one picture: `dlcli predict`, against the start of Python and the three libraries"
        yield against(what, seconds(ours), seconds(baseline), "s", data=SAMPLE_PHOTO)
