"""Any body to LiteRT, whatever backend it is trained on: TensorFlow alone can convert.

python -m dlcli.models.convert_network body.keras body.tflite
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from dlcli import backend
from dlcli.backend import Model
from dlcli.errors import ResourceError
from dlcli.models.bodies import errors_as_lines, read_error
from dlcli.processor import run_python, silenced_stderr

_PLAIN = re.compile(
    r"InputLayer|Rescaling|Normalization|BatchNormalization|LayerNormalization|Flatten|Reshape|"
    r"(Depthwise|Separable)?Conv2D|Dense|(Global)?(Max|Average)Pooling2D|ZeroPadding2D|ReLU|"
    r"LeakyReLU|Activation|Softmax|(Spatial)?Dropout(2D)?|Add|Concatenate"
)
"""Layers that have always been converted: a network of these alone is not tried beforehand."""


def require_convertible(body: Model) -> None:
    """Converts a body that has yet to be trained, if it has any unusual layer: better now than when
    the training is over.

    Raises:
        ResourceError: if LiteRT lacks an operation of it.
    """
    if not all(_PLAIN.fullmatch(type(layer).__name__) for layer in body.layers):
        converted(body)


def converted(body: Model) -> bytes:
    """A body as a .tflite file; by TensorFlow in a process of its own where another one runs.

    Raises:
        ResourceError: if that process fails.
    """
    if backend.device().backend == "tensorflow":
        from dlcli.models.convert_body import to_litert

        return to_litert(body)
    with tempfile.TemporaryDirectory(prefix="dlcli-body-") as folder:
        source, target = Path(folder) / "body.keras", Path(folder) / "body.tflite"
        with silenced_stderr():  # Keras imports TensorFlow to save, and that talks
            body.save(source)
        fault = run_python("-m", "dlcli.models.convert_network", str(source), str(target))
        if fault is not None:
            raise read_error(fault) or ResourceError(
                f"the network could not be converted by TensorFlow ({fault}).",
                fix="Check that it works: python -c 'import tensorflow'",
            )
        return target.read_bytes()


def main(source: str, target: str) -> None:
    """Reads a network of Keras and writes it for LiteRT."""
    backend.prepare(device="cpu")
    from dlcli.backend import keras
    from dlcli.models.convert_body import to_litert

    body = keras.saving.load_model(source, compile=False, safe_mode=True)
    with errors_as_lines():
        Path(target).write_bytes(to_litert(body))


if __name__ == "__main__":
    main(*sys.argv[1:])
