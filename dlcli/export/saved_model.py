"""A SavedModel in TensorFlow Serving's layout: pixels in, probabilities and labels out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlcli import backend
from dlcli.backend import Model, keras

VERSION = "1"


def write_saved_model(model: Model, class_names: Sequence[str], folder: Path) -> Path:
    """Writes `folder/1/` and returns it.

    Signatures `serving_default` (float32 (B, H, W, C), 0-255) and `serve_uint8` (the same as
    uint8), both giving `probabilities` (B, K), `label` (B,) and `label_index` (B,).
    """
    tensorflow = backend.tensorflow()
    names = tensorflow.constant(
        [name.encode("utf-8", "surrogateescape") for name in class_names], tensorflow.string
    )

    def answer(pixels: Any) -> dict[str, Any]:
        probabilities = model(pixels, training=False)
        index = tensorflow.argmax(probabilities, axis=-1, output_type=tensorflow.int64)
        return {
            "probabilities": probabilities,
            "label": tensorflow.gather(names, index),
            "label_index": index,
        }

    def answer_uint8(pixels: Any) -> dict[str, Any]:
        return answer(tensorflow.cast(pixels, tensorflow.float32))

    shape = (None, *model.input_shape[1:])
    archive = keras.export.ExportArchive()
    # Tracking the model as well would store every variable a second time.
    archive.add_endpoint(
        "serving_default", answer, [tensorflow.TensorSpec(shape, tensorflow.float32, "pixels")]
    )
    archive.add_endpoint(
        "serve_uint8", answer_uint8, [tensorflow.TensorSpec(shape, tensorflow.uint8, "pixels")]
    )
    target = folder / VERSION
    archive.write_out(str(target), verbose=False)
    return target
