"""A SavedModel in TensorFlow Serving's layout: pictures in, probabilities and labels out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlcli import backend
from dlcli.backend import Model, keras
from dlcli.data.pixels import PixelFormat
from dlcli.export.picture_graph import decode_pictures
from dlcli.export.serving import SERVE_BYTES

VERSION = "1"
PIXELS, ENCODED = "pixels", "image_bytes"


def write_saved_model(
    model: Model, class_names: Sequence[str], pixel_format: PixelFormat, folder: Path
) -> Path:
    """Writes `folder/1/` and returns it.

    Signatures `serving_default` (`pixels`, float32 (B, H, W, C), 0-255), `serve_uint8` (the same as
    uint8) and `serve_bytes` (`image_bytes`, encoded pictures, a string tensor (B,)), all giving
    `probabilities` (B, K), `label` (B,) and `label_index` (B,).
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

    def answer_bytes(image_bytes: Any) -> dict[str, Any]:
        return answer_uint8(decode_pictures(image_bytes, pixel_format))

    shape = (None, *model.input_shape[1:])
    archive = keras.export.ExportArchive()
    # Tracking the model as well would store every variable a second time.
    for name, served, kind in (
        ("serving_default", answer, tensorflow.TensorSpec(shape, tensorflow.float32, PIXELS)),
        ("serve_uint8", answer_uint8, tensorflow.TensorSpec(shape, tensorflow.uint8, PIXELS)),
        (SERVE_BYTES, answer_bytes, tensorflow.TensorSpec((None,), tensorflow.string, ENCODED)),
    ):
        archive.add_endpoint(name, served, [kind])
    target = folder / VERSION
    archive.write_out(str(target), verbose=False)
    return target
