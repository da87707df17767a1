"""A whole classifier as an ONNX file: a SavedModel of pixels and probabilities, by tf2onnx.

tf2onnx says what it cannot convert and writes a broken file all the same: its operations are looked
at here, and every file is run before it leaves (see `runtimes`).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dlcli import backend
from dlcli.backend import Model, keras
from dlcli.data.pixels import PixelFormat
from dlcli.errors import ResourceError
from dlcli.processor import run_python
from dlcli.spec.shapes import PROBABILITIES

OPSET = 18
IMAGE, BATCH = "image", "batch"


def write_onnx(
    model: Model, class_names: Sequence[str], pixel_format: PixelFormat, path: Path
) -> None:
    """Writes `path`: `image`, float32 (batch, H, W, C), 0-255 -> `probabilities`, (batch, K).

    Class names in order and how pictures are read are in the file's metadata, as JSON.

    Raises:
        ResourceError: if the network has operations that cannot be converted.
    """
    import onnx

    with tempfile.TemporaryDirectory(prefix="dlcli-onnx-") as folder:
        _write_saved_model(model, folder)
        order = ("--saved-model", folder, "--output", str(path), "--opset", str(OPSET))
        fault = run_python("-m", "tf2onnx.convert", *order)
    if fault is not None:
        raise ResourceError(f"tf2onnx cannot convert this network ({fault}).", fix=_FIX)
    file = onnx.load(str(path))
    _require_known(file)
    for tensor in (file.graph.input[0], file.graph.output[0]):
        tensor.type.tensor_type.shape.dim[0].dim_param = BATCH
    facts = {"class_names": list(class_names), "preprocessing": asdict(pixel_format)}
    onnx.helper.set_model_props(file, {name: json.dumps(fact) for name, fact in facts.items()})
    onnx.save(file, str(path))


_FIX = "Take another --format: saved_model knows every network."


def _write_saved_model(model: Model, folder: str) -> None:
    tensorflow = backend.tensorflow()
    shape = (None, *model.input_shape[1:])
    archive = keras.export.ExportArchive()
    archive.add_endpoint(
        "serve",
        lambda image: {PROBABILITIES: model(image, training=False)},
        [tensorflow.TensorSpec(shape, tensorflow.float32, IMAGE)],
    )
    archive.write_out(folder, verbose=False)


def _require_known(file: Any) -> None:
    from onnx import defs

    names = {node.op_type for node in file.graph.node if node.domain in ("", "ai.onnx")}
    unknown = sorted(name for name in names if not defs.has(name))
    if unknown:
        raise ResourceError(
            f"ONNX has no operation for what this network computes: {', '.join(unknown)}.", fix=_FIX
        )
