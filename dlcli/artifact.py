"""The artefact: a small folder with all that predict needs, which may be copied elsewhere alone."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from dlcli import __version__
from dlcli.data.pixels import READER_VERSION, Color, PixelFormat, Resize
from dlcli.errors import DataError

FORMAT_VERSION = 1
MODEL_JSON, BODY, HEAD, TYPICALITY = "model.json", "body.tflite", "head.npz", "typicality.npz"
VAL_ANSWERS = "val.npz"
NETWORK, KERAS_BODY = "model.keras", "body.keras"
AVERAGE, LAYOUT = "average", "layout"
"""The whole network, where Keras trained any of it; a network that begins with the body, where
the body is neither that nor a backbone with its ImageNet weights."""

_FILES = (BODY, HEAD, TYPICALITY, VAL_ANSWERS, NETWORK, KERAS_BODY)
_RESTORE = "Train again, or take the run from a backup."


@dataclass(frozen=True)
class ModelFacts:
    """What a network is made of; `trainable_parameters` are those its training changed.
    `backbone` is None for a list of layers; `body` is what body.tflite counts in, float32 or
    int8; `pooling` is what its features are: `average`, or `layout` with those of a grid; `refit`
    whether it was trained once more, on the pictures of val and test as well."""

    backbone: str | None
    weights: str
    parameters: int
    trainable_parameters: int
    body: str = "float32"
    pooling: str = AVERAGE
    refit: bool = False


@dataclass(frozen=True)
class Artifact:
    """What model.json says: class names in label order, how pictures are read, which files lie
    beside it. `unknown_below` is the typicality under which a picture is called unknown, None
    where the model cannot tell."""

    folder: Path
    class_names: tuple[str, ...]
    pixel_format: PixelFormat
    model: ModelFacts
    sha256s: dict[str, str]
    unknown_below: float | None = None

    def file(self, name: str) -> Path:
        """The path of a file of the artefact."""
        return self.folder / name

    @property
    def keras_file(self) -> Path | None:
        """A network in Keras' format that begins with the body; None for a backbone's own body."""
        names = [name for name in (NETWORK, KERAS_BODY) if name in self.sha256s]
        return self.file(names[0]) if names else None

    def copy_to(self, target: Path) -> None:
        """Makes the folder `target` with model.json and the files it names in it."""
        target.mkdir()
        for name in (MODEL_JSON, *self.sha256s):
            shutil.copyfile(self.file(name), target / name)


def write_artifact(
    folder: Path,
    class_names: Sequence[str],
    pixel_format: PixelFormat,
    model: ModelFacts,
    unknown_below: float | None,
) -> None:
    """Writes model.json last, over the files that already lie in `folder`."""
    names = [name for name in _FILES if (folder / name).exists()]
    document = {
        "format": FORMAT_VERSION,
        "dlcli": __version__,
        "class_names": list(class_names),
        "preprocessing": {"reader": READER_VERSION, **asdict(pixel_format)},
        "model": asdict(model),
        "unknown": {"typicality_below": unknown_below},
        "files": {name: {"sha256": sha256_of(folder / name)} for name in names},
    }
    text = json.dumps(document, indent=2) + "\n"
    (folder / MODEL_JSON).write_text(text, encoding="ascii")


def open_artifact(folder: Path) -> Artifact:
    """Reads model.json and checks every file it names against its sha256.

    Raises:
        DataError: if model.json is missing, damaged or of another format version, or a file is.
    """
    path = folder / MODEL_JSON
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        _require_version(document, path)
        artifact = _from_document(folder, document)
    except OSError as error:
        raise DataError(
            f"cannot be read: {error.strerror}.", where=str(path), fix=_RESTORE
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError("this file is damaged.", where=str(path), fix=_RESTORE) from error
    for name, expected in artifact.sha256s.items():
        _require_sha256(artifact.file(name), expected)
    return artifact


def sha256_of(path: Path) -> str:
    """The sha256 of a file's content, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _from_document(folder: Path, document: dict[str, Any]) -> Artifact:
    reading = document["preprocessing"]
    height, width = reading["image_size"]
    resize: Resize = reading["resize"]
    color: Color = reading["color"]
    names, below = document["class_names"], document["unknown"]["typicality_below"]
    sound = (
        resize in get_args(Resize)
        and color in get_args(Color)
        and isinstance(names, list)
        and len(names) == len(set(names)) > 0
        and all(isinstance(name, str) for name in names)
        and (below is None or isinstance(below, float))
    )
    if not sound:
        raise ValueError(document)
    return Artifact(
        folder,
        tuple(names),
        PixelFormat((int(height), int(width)), resize, color),
        ModelFacts(**document["model"]),
        {str(name): str(facts["sha256"]) for name, facts in document["files"].items()},
        below,
    )


def _require_version(document: dict[str, Any], path: Path) -> None:
    found = document["format"], document["preprocessing"]["reader"]
    if found != (FORMAT_VERSION, READER_VERSION):
        raise DataError(
            f"this model has format {found[0]} and reader {found[1]}; this version of dlcli "
            f"({__version__}) reads format {FORMAT_VERSION} and reader {READER_VERSION}.",
            where=str(path),
            fix=f"Use the dlcli that made it ({document.get('dlcli', 'unknown')}) or train again.",
        )


def _require_sha256(path: Path, expected: str) -> None:
    try:
        found = sha256_of(path)
    except OSError as error:
        raise DataError(
            f"cannot be read: {error.strerror}.", where=str(path), fix=_RESTORE
        ) from error
    if found != expected:
        raise DataError(
            "this file is damaged: its sha256 is not the one in model.json.",
            where=str(path),
            fix=_RESTORE,
        )
