"""A backbone's body as LiteRT: converted once on a machine and kept in the user's cache.

An int8 body is quantised after training (Jacob 2018): weights by channel, activations by the
ranges that calibration pictures span. It takes and gives float32 like any other body: integers at
its edges would spare 0.1 ms a picture. What it gives for a picture is always the same on one
machine. Other kernels (those of another kind of processor) may round otherwise: between XNNPACK's
and LiteRT's plain ones a feature differed by up to 13 of its 255 steps, a probability by 7e-4.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli import cache
from dlcli.artifact import AVERAGE, KERAS_BODY, LAYOUT, sha256_of
from dlcli.errors import DataError, DlcliError, ResourceError, UsageError
from dlcli.events import Reporter, Said, StageEnded, StageStarted
from dlcli.models.downloads import imagenet_weights
from dlcli.models.registry import Backbone
from dlcli.processor import run_python

STAGE = "preparing the body"
INT8_STAGE = "quantising the body"
CONVERTER_VERSION, QUANTISER_VERSION = 1, 1
BODY, FACTS = "body.tflite", "body.json"
_CALIBRATION = "calibration.npy"
_LARGE = 20_000_000
_SLOW = 10_000_000


@dataclass(frozen=True)
class KeptBody:
    """A converted body; `keras_path` is a network in Keras' format that begins with it, where it
    is not a backbone with its ImageNet weights. `parts` are how many of its features are of one
    kind, where there are several."""

    path: Path
    sha256: str
    keras_path: Path | None = None
    parts: tuple[int, ...] = ()


def find_body(
    backbone: Backbone,
    image_size: tuple[int, int],
    reporter: Reporter,
    weights: Path | None = None,
    calibration: NDArray[np.uint8] | None = None,
    *,
    pooling: str = AVERAGE,
) -> KeptBody:
    """The body of a backbone for pictures of `image_size`, converted where it is not kept.

    Its weights are those of the file `weights`; without it those of ImageNet, fetched if need be.
    With `calibration` pictures, uint8 (N, H, W, C), it is quantised to int8 by their ranges. With
    the pooling `layout` it gives more features: see `with_layout`.

    Raises:
        ResourceError: if its weights are neither here nor to be had, or the conversion fails.
        UsageError: if there is no such file.
        DataError: if the file is damaged or of another network, or if int8 sees the calibration
            pictures otherwise than float32 does.
    """
    parts = {"backbone": backbone.name, "image_size": image_size, "converter": CONVERTER_VERSION}
    if weights is not None:
        parts |= {"weights": _sha256_of(weights), "file": True}
    else:
        backbone.require_weights()
        parts["weights"] = backbone.weights_sha256 or sha256_of(
            imagenet_weights(backbone, reporter)
        )
    if calibration is not None:
        pixels = hashlib.sha256(calibration.tobytes()).hexdigest()
        parts |= {"calibration": pixels, "quantiser": QUANTISER_VERSION}
    if pooling != AVERAGE:
        parts["pooling"] = pooling
    order = _Order(backbone, image_size, weights, calibration, pooling)
    entry = cache.keep(
        cache.BODIES if calibration is None else cache.INT8_BODIES,
        cache.key_of(**parts),
        lambda building: _convert(order, building, reporter),
        lambda kept: sha256_of(kept / BODY) == _read_facts(kept)["sha256"],
    )
    keras_path = None if weights is None else entry / KERAS_BODY
    facts = _read_facts(entry)
    num_more = facts["num_features"] - backbone.num_features
    kinds = (backbone.num_features, num_more) if num_more else ()
    return KeptBody(entry / BODY, facts["sha256"], keras_path, kinds)


def _sha256_of(weights: Path) -> str:
    try:
        return sha256_of(weights)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UsageError("there is no such weight file.", where=str(weights)) from error


def num_calibrated(backbone: Backbone) -> int:
    """The most pictures to calibrate on: fewer where each takes seconds (20 gave the same answers
    as 200 for EfficientNet-Lite0)."""
    return 200 if backbone.parameters < _SLOW else 50


def _read_facts(entry: Path) -> dict[str, Any]:
    return dict(json.loads((entry / FACTS).read_text(encoding="ascii")))


@dataclass(frozen=True)
class _Order:
    """Which body is to be made, and from what."""

    backbone: Backbone
    image_size: tuple[int, int]
    weights: Path | None
    calibration: NDArray[np.uint8] | None
    pooling: str


def _convert(wanted: _Order, target: Path, reporter: Reporter) -> None:
    backbone, weights, calibration = wanted.backbone, wanted.weights, wanted.calibration
    path = weights or imagenet_weights(backbone, reporter)
    purpose = "prepared for this machine" if calibration is None else "quantised for these pictures"
    seen = ", with a grid of features" if wanted.pooling == LAYOUT else ""
    reporter.report(Said(f"{backbone.name}{seen} is {purpose}, once: {_time(backbone)}"))
    stage = STAGE if calibration is None else INT8_STAGE
    reporter.report(StageStarted(stage))
    pixels = target / _CALIBRATION
    if calibration is not None:
        np.save(pixels, calibration)
    order = {
        "name": backbone.name,
        "image_size": wanted.image_size,
        "pooling": wanted.pooling,
        "weights": None if weights is None else os.fspath(weights.resolve()),
        "target": os.fspath(target),
        "calibration": None if calibration is None else os.fspath(pixels),
    }
    fault = run_python("-m", "dlcli.models.convert_body", json.dumps(order))
    if fault is not None:
        raise read_error(fault) or ResourceError(
            f"{backbone.name} could not be prepared ({fault}).",
            where=str(path),
            fix="Check that TensorFlow works: python -c 'import tensorflow'",
        )
    pixels.unlink(missing_ok=True)
    agreement = _read_facts(target).get("agreement")
    detail = "" if agreement is None else f"its features agree to {agreement:.3f} with float32"
    reporter.report(StageEnded(stage, detail))


def _time(backbone: Backbone) -> str:
    return "10-20 s" if backbone.parameters < _LARGE else "a minute or so"


@contextmanager
def errors_as_lines() -> Iterator[None]:
    """For a process that another one waits for: an expected failure ends it with one line, which
    `read_error` reads."""
    try:
        yield
    except DlcliError as error:
        raise SystemExit(write_error(error)) from error


def write_error(error: DlcliError) -> str:
    """An expected failure as one line."""
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
