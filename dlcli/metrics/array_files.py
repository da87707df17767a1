"""Arrays in .npz files of a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from dlcli.errors import DataError


@contextmanager
def opened_arrays(path: Path, what: str) -> Iterator[Any]:
    """The arrays in a file by their names, for as long as the block lasts. What goes wrong with
    them in there, a missing one included, means that the file is `what`, no more than that.

    Raises:
        DataError: in that case.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            yield arrays
    except (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, BadZipFile) as error:
        raise DataError(
            f"this {what} ({error}).",
            where=str(path),
            fix="Train again, or take the run from a backup.",
        ) from error
