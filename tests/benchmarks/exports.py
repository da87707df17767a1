"""How exact exports are: every template, and networks of every family, in every format."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from dlcli.commands.exported import MODEL_FILES
from dlcli.errors import ResourceError
from tests.export.every_network import NETWORKS, LivelyNetwork

Row = tuple[str, str, str]


def rows() -> Iterator[Row]:
    """A row a network and format: how far probabilities are from those of Keras."""
    for name in NETWORKS:
        network = LivelyNetwork(name)
        for form in MODEL_FILES:
            yield f"{name} at 64 px, {form}", "1e-4", _measure(network, form)


def _measure(network: LivelyNetwork, form: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        try:
            written = network.write(form, Path(folder))
        except ResourceError as error:
            return error.what
    return (
        f"{written.difference:.1e}, same top class {written.agreement:.0%}, "
        f"{written.size_bytes / 1e6:.1f} MB"
    )
