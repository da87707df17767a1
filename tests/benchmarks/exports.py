"""How exact exports are: every template, and networks of every family, in every format."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dlcli.commands.exported import MODEL_FILES
from dlcli.errors import ResourceError
from tests.benchmarks.measure import DLCLI, run
from tests.benchmarks.pictures import SAMPLE_DRAWINGS
from tests.benchmarks.row import Row, said
from tests.conftest import ROOT
from tests.export.every_network import NETWORKS, NUM_PICTURES, SIZE, LivelyNetwork

ASKED, DATA = "1e-4", f"made: {NUM_PICTURES} noise pictures of {SIZE} px"


def rows() -> Iterator[Row]:
    """A row a network and format: how far probabilities are from those of Keras. Then a row a
    format of what `dlcli benchmark` says of a run."""
    for name in NETWORKS:
        network = LivelyNetwork(name)
        for form in MODEL_FILES:
            yield _measure(f"{name} at {SIZE} px, {form}", network, form)
    yield from _timed()


def _measure(what: str, network: LivelyNetwork, form: str) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        try:
            written = network.write(form, Path(folder))
        except ResourceError as error:
            return said(what, error.what, asked=ASKED, data=DATA)
    detail = (
        f"{written.difference:.1e}, same top class {written.agreement:.0%}, "
        f"{written.size_bytes / 1e6:.1f} MB"
    )
    return Row(what, detail, ASKED, DATA, "probability", (written.difference,))


def _timed() -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as folder:
        environment = {"DLCLI_CACHE": f"{folder}/cache", "DLCLI_RUNS": f"{folder}/runs"}
        animals = ROOT / "sample_data" / "animals"
        run((*DLCLI, "train", animals, "--name", "timed", "--quiet"), **environment)
        asked = (*DLCLI, "benchmark", "timed", "--json", "--quiet")
        models = json.loads(run(asked, **environment).stdout)["models"]
    for model in models:
        yield Row(
            f"dlcli benchmark, {model['format']}: one picture",
            f"{1000 * model['median_seconds']:.1f} ms (95 % within "
            f"{1000 * model['p95_seconds']:.1f} ms); {model['images_per_second']:.0f} pictures/s "
            f"in batches, {model['size_bytes'] / 1e6:.1f} MB, {model['accuracy']:.1%} right",
            data=SAMPLE_DRAWINGS,
            unit="s",
            values=(model["median_seconds"],),
        )
