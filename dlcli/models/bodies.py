"""A backbone's body as LiteRT: converted once on a machine and kept in the user's cache."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from dlcli import cache
from dlcli.artifact import KERAS_BODY, sha256_of
from dlcli.errors import DataError, DlcliError, ResourceError, UsageError
from dlcli.events import Reporter, Said, StageEnded, StageStarted
from dlcli.models.downloads import imagenet_weights
from dlcli.models.registry import Backbone
from dlcli.processor import run_python

STAGE = "preparing the body"
CONVERTER_VERSION = 1
BODY, FACTS = "body.tflite", "body.json"
_LARGE = 20_000_000


@dataclass(frozen=True)
class KeptBody:
    """A converted body; `keras_path` is a network in Keras' format that begins with it, where it
    is not a backbone with its ImageNet weights."""

    path: Path
    sha256: str
    keras_path: Path | None = None


def find_body(
    backbone: Backbone,
    image_size: tuple[int, int],
    reporter: Reporter,
    weights: Path | None = None,
) -> KeptBody:
    """The body of a backbone for pictures of `image_size`, converted where it is not kept.

    Its weights are those of the file `weights`; without it those of ImageNet, fetched if need be.

    Raises:
        ResourceError: if its weights are neither here nor to be had, or the conversion fails.
        UsageError: if there is no such file.
        DataError: if the file is damaged or of another network.
    """
    parts = {"backbone": backbone.name, "image_size": image_size, "converter": CONVERTER_VERSION}
    if weights is not None:
        parts |= {"weights": _sha256_of(weights), "file": True}
    else:
        backbone.require_weights()
        parts["weights"] = backbone.weights_sha256 or sha256_of(
            imagenet_weights(backbone, reporter)
        )
    entry = cache.keep(
        cache.BODIES,
        cache.key_of(**parts),
        lambda building: _convert(backbone, image_size, building, weights, reporter),
        lambda kept: sha256_of(kept / BODY) == _read_facts(kept)["sha256"],
    )
    keras_path = None if weights is None else entry / KERAS_BODY
    return KeptBody(entry / BODY, _read_facts(entry)["sha256"], keras_path)


def _sha256_of(weights: Path) -> str:
    try:
        return sha256_of(weights)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UsageError("there is no such weight file.", where=str(weights)) from error


def _read_facts(entry: Path) -> dict[str, str]:
    return dict(json.loads((entry / FACTS).read_text(encoding="ascii")))


def _convert(
    backbone: Backbone,
    image_size: tuple[int, int],
    target: Path,
    weights: Path | None,
    reporter: Reporter,
) -> None:
    path = weights or imagenet_weights(backbone, reporter)
    reporter.report(Said(f"{backbone.name} is prepared for this machine, once: {_time(backbone)}"))
    reporter.report(StageStarted(STAGE))
    order = {
        "name": backbone.name,
        "image_size": image_size,
        "weights": None if weights is None else os.fspath(weights.resolve()),
        "target": os.fspath(target),
    }
    fault = run_python("-m", "dlcli.models.convert_body", json.dumps(order))
    if fault is not None:
        raise read_error(fault) or ResourceError(
            f"{backbone.name} could not be prepared ({fault}).",
            where=str(path),
            fix="Check that TensorFlow works: python -c 'import tensorflow'",
        )
    reporter.report(StageEnded(STAGE))


def _time(backbone: Backbone) -> str:
    return "10-20 s" if backbone.parameters < _LARGE else "a minute or so"


def write_error(error: DlcliError) -> str:
    """An expected failure as one line, for the process that waits for the conversion."""
    kind = "DataError" if isinstance(error, DataError) else "ResourceError"
    return json.dumps({"kind": kind, "what": error.what, "where": error.where, "fix": error.fix})


def read_error(line: str) -> DlcliError | None:
    """What `write_error` wrote; None for any other line."""
    try:
        said = json.loads(line)
        kind = {"DataError": DataError, "ResourceError": ResourceError}[said["kind"]]
        return kind(said["what"], where=said["where"], fix=said["fix"])
    except (ValueError, KeyError, TypeError):
        return None
