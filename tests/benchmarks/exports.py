"""How exact exports are: every template, and networks of every family, in every format."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from dlcli.commands.exported import MODEL_FILES
from dlcli.errors import ResourceError
from tests.benchmarks.row import Row, said
from tests.export.every_network import NETWORKS, NUM_PICTURES, SIZE, LivelyNetwork

ASKED, DATA = "1e-4", f"made: {NUM_PICTURES} noise pictures of {SIZE} px"


def rows() -> Iterator[Row]:
    """A row a network and format: how far probabilities are from those of Keras."""
    for name in NETWORKS:
        network = LivelyNetwork(name)
        for form in MODEL_FILES:
            yield _measure(f"{name} at {SIZE} px, {form}", network, form)


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
