"""The built-in classifier of 1000 classes: EfficientNet-Lite0 with the head it came with."""

from __future__ import annotations

import shutil
from pathlib import Path

from dlcli import cache
from dlcli.artifact import (
    BODY,
    FORMAT_VERSION,
    HEAD,
    ModelFacts,
    open_artifact,
    write_artifact,
)
from dlcli.data.pixels import READER_VERSION, PixelFormat
from dlcli.events import Reporter
from dlcli.models.bodies import CONVERTER_VERSION, find_body
from dlcli.models.bundled_weights import read_tensors
from dlcli.models.registry import BACKBONES
from dlcli.runtime.head import Head

_BACKBONE = BACKBONES["efficientnet-lite0"]
_NAMES = Path(__file__).with_name("imagenet_classes.txt")


def find_imagenet(reporter: Reporter) -> Path:
    """The artefact folder of the built-in classifier, put together on first use.

    Raises:
        ResourceError: if the body cannot be prepared.
    """
    key = cache.key_of(
        imagenet=_BACKBONE.name,
        weights=_BACKBONE.weights_sha256,
        converter=CONVERTER_VERSION,
        format=FORMAT_VERSION,
        reader=READER_VERSION,
    )
    return cache.keep(
        cache.BODIES,
        key,
        lambda building: _assemble(building, reporter),
        lambda kept: bool(open_artifact(kept).class_names),
    )


def _assemble(target: Path, reporter: Reporter) -> None:
    body = find_body(_BACKBONE, _BACKBONE.image_size, reporter)
    tensors = read_tensors(_BACKBONE.weights_path(), _BACKBONE.weights_sha256)
    head = Head(tensors["_fc.weight"].T, tensors["_fc.bias"])
    shutil.copyfile(body.path, target / BODY)
    head.save(target / HEAD)
    names = _NAMES.read_text(encoding="ascii").splitlines()
    facts = ModelFacts(_BACKBONE.name, "imagenet", _BACKBONE.parameters + head.size, 0)
    write_artifact(target, names, PixelFormat(_BACKBONE.image_size), facts, None)
