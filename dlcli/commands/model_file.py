"""A run's network -> a file for another runtime, written in a process of its own."""

from __future__ import annotations

import importlib.util
import json
import tempfile
from pathlib import Path

from dlcli.commands.asked_pictures import calibration_pictures
from dlcli.commands.exported import MODEL_FILES
from dlcli.commands.open_run import OpenedRun
from dlcli.errors import ResourceError
from dlcli.processor import run_python

_ONNX_PACKAGES = ("onnx", "onnxruntime", "tf2onnx")


def require_onnx() -> None:
    """
    Raises:
        ResourceError: if a package that writes or runs ONNX files is missing.
    """
    missing = [name for name in _ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ResourceError(
            f"ONNX needs {', '.join(missing)}, not installed.",
            where="--format onnx",
            fix="Install it: pip install 'dlcli-vision[onnx]'",
        )


def write_model_file(opened: OpenedRun, form: str, quantize: str | None, folder: Path) -> None:
    """Writes the run's whole network into `folder` as `form`; LiteRT as the run's own body and
    head, unless it is to be quantised (float16, int8).

    Raises:
        DataError: if the artefact is damaged.
        ResourceError: if weights or packages are missing, or the network cannot be converted.
    """
    from dlcli.artifact import BODY

    if form == "onnx":
        require_onnx()
    artifact, head = opened.classifier.artifact, opened.classifier.head
    if form == "litert" and quantize is None:
        from dlcli.export.litert import append_head

        content = append_head(artifact.file(BODY).read_bytes(), head)
        (folder / MODEL_FILES[form]).write_bytes(content)
        return
    with tempfile.TemporaryDirectory(prefix="dlcli-calibration-") as name:
        calibration = _save_calibration(opened, Path(name)) if quantize == "int8" else None
        _convert(
            form=form,
            artifact=str(artifact.folder.absolute()),
            target=str(folder.absolute()),
            name=MODEL_FILES[form],
            quantize=quantize,
            calibration=calibration,
        )


def _save_calibration(opened: OpenedRun, folder: Path) -> str:
    import numpy as np

    file = folder / "pictures.npy"
    np.save(file, calibration_pictures(opened))
    return str(file)


def _convert(**order: str | None) -> None:
    from dlcli.models.bodies import read_error

    fault = run_python("-m", "dlcli.export.convert", json.dumps(order))
    if fault is not None:
        raise read_error(fault) or ResourceError(
            f"this network could not be written as {order['form']} ({fault}).",
            fix="Another --format may take it.",
        )
