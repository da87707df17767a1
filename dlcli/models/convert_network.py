"""Any body to LiteRT, whatever backend it is trained on: TensorFlow alone can convert.

python -m dlcli.models.convert_network body.keras body.tflite
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from dlcli import backend
from dlcli.backend import Model
from dlcli.errors import ResourceError
from dlcli.processor import run_python, silenced_stderr


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
            raise ResourceError(
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
    Path(target).write_bytes(to_litert(body))


if __name__ == "__main__":
    main(*sys.argv[1:])
