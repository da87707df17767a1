"""What a training that was stopped goes on from: one file, whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli.errors import DataError

STATE = "state.npz"
FORMAT = 1
_FACTS = "facts"


@dataclass(frozen=True)
class Checkpoint:
    """`facts` are of JSON's own types; `arrays` hold weights and every other state by name."""

    facts: dict[str, Any]
    arrays: dict[str, NDArray[Any]]

    def group(self, name: str) -> list[NDArray[Any]]:
        """The arrays `name/0`, `name/1` ... in their order."""
        found: list[NDArray[Any]] = []
        while (array := self.arrays.get(f"{name}/{len(found)}")) is not None:
            found.append(array)
        return found


def grouped(name: str, arrays: list[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Names for arrays that `Checkpoint.group` gives back."""
    return {f"{name}/{number}": array for number, array in enumerate(arrays)}


def save_checkpoint(folder: Path, facts: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Writes `state.npz` into `folder` under another name, flushes it to the disk and renames it.

    Raises:
        OSError: if the disk is full; what was saved before stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"format": FORMAT, **facts}).encode("ascii")
    content = {_FACTS: np.frombuffer(text, np.uint8), **arrays}
    descriptor, temporary = tempfile.mkstemp(prefix=".", dir=folder)
    try:
        with open(descriptor, "wb") as file:
            np.savez(file, **content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, folder / STATE)
    except BaseException:
        os.unlink(temporary)
        raise


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """What was saved last; None where nothing was.

    Raises:
        DataError: if it is damaged, or of a version with another format.
    """
    path = folder / STATE
    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        facts = json.loads(arrays.pop(_FACTS).tobytes())
        is_known = facts.pop("format") == FORMAT
    except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(
            "this checkpoint is damaged.",
            where=str(path),
            fix="Remove it, and --resume begins the run from its start.",
        ) from error
    if not is_known:
        raise DataError(
            "this checkpoint is of another version of dlcli.",
            where=str(path),
            fix="Resume with the version that run.json names, or train anew.",
        )
    return Checkpoint(facts, arrays)
