"""Writes a run's network for another runtime; run as a process of its own.

    python -m dlcli.export.convert '{"form": "saved_model", "artifact": "runs/a-1/model", ...}'

A converter may crash and leaks memory, and the command that waits for it loads no framework.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from dlcli import backend
from dlcli.artifact import HEAD, open_artifact
from dlcli.models.bodies import errors_as_lines


def main(order: str) -> None:
    """Writes a model file.

    `order` is JSON: the `form` (saved_model, keras, onnx or litert), the folder of the `artifact`,
    the folder `target` that the file or folder `name` comes into, and for litert `quantize`
    (float16 or int8) and `calibration`, a file of pictures, uint8 (N, H, W, C), for int8.

    Raises:
        SystemExit: with a line that says what is wrong with the artefact.
    """
    with errors_as_lines():
        _convert(json.loads(order))


def _convert(facts: dict[str, Any]) -> None:
    backend.prepare(device="cpu")
    from dlcli.export.litert import append_head
    from dlcli.export.saved_model import write_saved_model
    from dlcli.models.convert_body import to_litert
    from dlcli.models.model import body_of, open_model
    from dlcli.runtime.head import load_head

    artifact = open_artifact(Path(facts["artifact"]))
    head = load_head(artifact.file(HEAD))
    model, target = open_model(artifact, head), Path(facts["target"])
    if facts["form"] == "saved_model":
        write_saved_model(model, artifact.class_names, artifact.pixel_format, target)
    elif facts["form"] == "keras":
        model.save(target / facts["name"])
    elif facts["form"] == "onnx":
        from dlcli.export.onnx import write_onnx

        path = target / facts["name"]
        write_onnx(model, artifact.class_names, artifact.pixel_format, path)
    else:
        calibration = np.load(facts["calibration"]) if facts["calibration"] else None
        is_float16 = facts["quantize"] == "float16"
        body = to_litert(body_of(model), calibration, is_float16=is_float16)
        (target / facts["name"]).write_bytes(append_head(body, head))


if __name__ == "__main__":
    main(sys.argv[1])
