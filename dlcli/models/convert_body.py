"""Converts a backbone's body to LiteRT and checks it against Keras; run as a process of its own.

    python -m dlcli.models.convert_body '{"name": "efficientnet-lite0", ...}'

A converter may crash and leaks memory, and the command that needs the body loads no framework.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from dlcli import backend
from dlcli.artifact import KERAS_BODY
from dlcli.errors import DlcliError
from dlcli.models.bodies import BODY, FACTS, write_error

TOLERANCE = 1e-4
_NUM_CHECKED = 4


def main(order: str) -> None:
    """Writes body.tflite and body.json (sha256, num_features, max_abs_difference) into a folder.

    `order` is JSON: the `name` of the backbone, its `image_size`, `weights` (a file; null for
    those of ImageNet) and the folder `target`. With a weight file body.keras is written too.

    Raises:
        ArithmeticError: if the converted body answers otherwise than Keras.
        SystemExit: with a line that says what is wrong with the weights.
    """
    backend.prepare(device="cpu")
    from dlcli.models.model import load_body

    facts = json.loads(order)
    image_size = (facts["image_size"][0], facts["image_size"][1])
    target = Path(facts["target"])
    weights = Path(facts["weights"]) if facts["weights"] else None
    try:
        body = load_body(facts["name"], image_size, weights)
    except DlcliError as error:
        raise SystemExit(write_error(error)) from error
    content = to_litert(body)
    (target / BODY).write_bytes(content)
    difference = _difference(body, target / BODY, image_size)
    if not difference <= TOLERANCE:
        raise ArithmeticError(f"the converted body differs from Keras by {difference:.2g}")
    if weights is not None:
        body.save(target / KERAS_BODY)
    found = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "num_features": body.output_shape[-1],
        "max_abs_difference": difference,
    }
    (target / FACTS).write_text(json.dumps(found), encoding="ascii")


def to_litert(model: Any) -> bytes:
    """A Keras model with one input and one output as a .tflite file of built-in operations.

    The weights go in as constants, by a stateless call: a traced model would bring its variables,
    and freezing those takes four times as long.
    """
    tensorflow = backend.tensorflow()
    trainable = [tensorflow.constant(variable.numpy()) for variable in model.trainable_variables]
    others = [tensorflow.constant(variable.numpy()) for variable in model.non_trainable_variables]
    signature = tensorflow.TensorSpec((None, *model.input_shape[1:]), tensorflow.float32, "pixels")

    @tensorflow.function(input_signature=[signature])  # type: ignore[untyped-decorator]
    def call(pixels: Any) -> Any:
        return model.stateless_call(trainable, others, pixels, training=False)[0]

    converter = tensorflow.lite.TFLiteConverter.from_concrete_functions(
        [call.get_concrete_function()], tensorflow.Module()
    )
    converter.target_spec.supported_ops = [tensorflow.lite.OpsSet.TFLITE_BUILTINS]
    converted: bytes = converter.convert()
    return converted


def _difference(body: Any, path: Path, image_size: tuple[int, int]) -> float:
    """The largest difference of a feature between Keras and LiteRT, on noise; relative to the
    largest feature where that is above 1."""
    from dlcli.runtime.litert import LiteRtBody

    noise = np.random.default_rng(0).integers(0, 256, (_NUM_CHECKED, *image_size, 3), np.uint8)
    expected = body.predict_on_batch(noise.astype(np.float32))
    difference = np.abs(LiteRtBody(path, image_size).features(noise) - expected).max()
    return float(difference / max(1.0, np.abs(expected).max()))


if __name__ == "__main__":
    main(sys.argv[1])
