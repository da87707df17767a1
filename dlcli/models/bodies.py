"""A backbone's body as LiteRT: converted once on a machine and kept in the user's cache."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from dlcli import cache
from dlcli.artifact import sha256_of
from dlcli.errors import ResourceError
from dlcli.events import Reporter, Said, StageEnded, StageStarted
from dlcli.models.registry import Backbone
from dlcli.processor import run_python

STAGE = "preparing the body"
CONVERTER_VERSION = 1
BODY, FACTS = "body.tflite", "body.json"


@dataclass(frozen=True)
class KeptBody:
    """A converted body in the cache."""

    path: Path
    sha256: str


def find_body(backbone: Backbone, image_size: tuple[int, int], reporter: Reporter) -> KeptBody:
    """The body of a backbone for pictures of `image_size`, converted where it is not kept.

    Raises:
        ResourceError: if its weights are not installed or the conversion fails.
    """
    weights = backbone.weights_path()
    key = cache.key_of(
        backbone=backbone.name,
        weights=backbone.weights_sha256,
        image_size=image_size,
        converter=CONVERTER_VERSION,
    )
    entry = cache.keep(
        cache.BODIES,
        key,
        lambda building: _convert(backbone, image_size, building, weights, reporter),
        lambda kept: sha256_of(kept / BODY) == _read_facts(kept)["sha256"],
    )
    return KeptBody(entry / BODY, _read_facts(entry)["sha256"])


def _read_facts(entry: Path) -> dict[str, str]:
    return dict(json.loads((entry / FACTS).read_text(encoding="ascii")))


def _convert(
    backbone: Backbone,
    image_size: tuple[int, int],
    target: Path,
    weights: Path,
    reporter: Reporter,
) -> None:
    height, width = image_size
    reporter.report(Said(f"{backbone.name} is prepared for this machine, once: 10-20 s"))
    reporter.report(StageStarted(STAGE))
    module = ("-m", "dlcli.models.convert_body")
    fault = run_python(*module, backbone.name, str(height), str(width), str(target))
    if fault is not None:
        raise ResourceError(
            f"{backbone.name} could not be prepared ({fault}).",
            where=str(weights),
            fix="Check that TensorFlow works: python -c 'import tensorflow'",
        )
    reporter.report(StageEnded(STAGE))
