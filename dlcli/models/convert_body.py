"""Converts a backbone's body to LiteRT and checks it against Keras; run as a process of its own.

    python -m dlcli.models.convert_body '{"name": "efficientnet-lite0", ...}'

A converter may crash and leaks memory, and the command that needs the body loads no framework.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli import backend
from dlcli.artifact import KERAS_BODY
from dlcli.errors import DataError, ResourceError
from dlcli.models.bodies import BODY, FACTS, errors_as_lines
from dlcli.processor import silenced_stderr

TOLERANCE = 1e-4
LEAST_AGREEMENT = 0.8
"""EfficientNet-Lite0 has 0.98-0.99 on photos and drawings, 0.95 on small grey pictures, 0.88 on
photos at an eighth of their light, and -0.05 calibrated on black, where nothing can be learned."""

_LACKING = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")
_NUM_CHECKED, _NUM_CALIBRATION_CHECKED = 4, 16


def main(order: str) -> None:
    """Writes body.tflite and body.json (sha256, num_features, and max_abs_difference or, of an
    int8 body, agreement) into a folder.

    `order` is JSON: the `name` of the backbone, its `image_size` and `pooling`, `weights` (a file;
    null for those of ImageNet), the folder `target` and `calibration` (a file of pictures, uint8
    (N, H, W, C), for an int8 body; null for float32). With a weight file body.keras is written too.

    Raises:
        ArithmeticError: if the converted body answers otherwise than Keras.
        SystemExit: with a line that says what is wrong with the weights or the calibration.
    """
    with errors_as_lines():
        _convert(json.loads(order))


def _convert(facts: dict[str, Any]) -> None:
    backend.prepare(device="cpu")
    from dlcli.models.model import load_body

    name, target = facts["name"], Path(facts["target"])
    image_size = (facts["image_size"][0], facts["image_size"][1])
    weights = Path(facts["weights"]) if facts["weights"] else None
    body = load_body(name, image_size, weights, pooling=facts["pooling"])
    calibration = np.load(facts["calibration"]) if facts["calibration"] else None
    content = to_litert(body, calibration)
    (target / BODY).write_bytes(content)
    found = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "num_features": body.output_shape[-1],
        **_compare(body, name, target / BODY, calibration),
    }
    if facts["weights"]:
        body.save(target / KERAS_BODY)
    (target / FACTS).write_text(json.dumps(found), encoding="ascii")


def to_litert(
    model: Any, calibration: NDArray[np.uint8] | None = None, *, is_float16: bool = False
) -> bytes:
    """A Keras model with one input and one output as a .tflite file of built-in operations.

    With `calibration` pictures, uint8 (N, H, W, C), it computes in int8 between a float32 input
    and a float32 output; an operation that has no int8 form stays float32. With `is_float16` its
    weights are stored as float16, and it computes in float32.

    The weights go in as constants, by a stateless call: a traced model would bring its variables,
    and freezing those takes four times as long.

    Raises:
        ResourceError: if it has operations that LiteRT lacks; they are named.
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
    operations = tensorflow.lite.OpsSet
    converter.target_spec.supported_ops = [operations.TFLITE_BUILTINS]
    if calibration is not None:
        converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops.insert(0, operations.TFLITE_BUILTINS_INT8)
        converter.representative_dataset = lambda: (
            [picture[None].astype(np.float32)] for picture in calibration
        )
    if is_float16:
        converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tensorflow.float16]
    try:
        with silenced_stderr():  # it talks at length of what it cannot do
            converted: bytes = converter.convert()
    except Exception as error:
        lacking = sorted(set(_LACKING.findall(str(error))))
        if not lacking:
            raise
        raise ResourceError(
            f"LiteRT has no operation for what this network computes: {', '.join(lacking)}.",
            where="model.layers",
            fix="Take another layer, or other arguments of it, for that.",
        ) from error
    return converted


def _compare(
    body: Any, name: str, path: Path, calibration: NDArray[np.uint8] | None
) -> dict[str, float]:
    """How the converted body answers beside Keras, on noise and on calibration pictures.

    Raises:
        ArithmeticError: if a float32 body answers otherwise.
        DataError: if an int8 body does.
    """
    from dlcli.runtime.litert import LiteRtBody

    height, width, channels = body.input_shape[1:]
    shape = (_NUM_CHECKED, height, width, channels)
    asked = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    if calibration is not None:
        asked = np.concatenate([calibration[:_NUM_CALIBRATION_CHECKED], asked])
    expected = body.predict_on_batch(asked.astype(np.float32))
    found = LiteRtBody(path, (height, width), channels).features(asked)
    if calibration is None:
        difference = float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))
        if not difference <= TOLERANCE:
            raise ArithmeticError(f"the converted body differs from Keras by {difference:.2g}")
        return {"max_abs_difference": difference}
    agreement = agreement_of(found, expected)
    if not agreement >= LEAST_AGREEMENT:
        raise DataError(
            f"an int8 {name} sees these pictures otherwise than a float32 one: their features "
            f"agree to {agreement:.2f}, and {LEAST_AGREEMENT} is asked.",
            fix="Leave model.body float32.",
        )
    return {"agreement": agreement}


def agreement_of(found: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """How alike two bodies tell pictures apart, from their features (N, F) for the same pictures:
    the mean cosine between them, each taken from the mean of all pictures, at most 1.

    What all pictures share is left out, since a head's bias takes it up: it would hide that a
    body sees no difference between pictures any more (that cosine is 0.85 for one that is blind).
    """
    one, other = (rows - rows.mean(axis=0) for rows in (found, expected))
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    cosines = (one * other).sum(axis=1) / np.maximum(lengths, np.finfo(np.float32).tiny)
    return float(cosines.mean())


if __name__ == "__main__":
    main(sys.argv[1])
