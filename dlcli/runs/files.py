"""Every file name in a run, and how files come into being: whole or not at all."""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

RUN_JSON = "run.json"
SPEC = "spec.yaml"
SPLIT = "split.csv"
HISTORY = "history.csv"
METRICS = "metrics.json"
REPORT = "report.html"
EVALUATION = "evaluation.html"
"""The page of the latest evaluation that was to be shown and not kept."""

MODEL = "model"
CHECKPOINT, REFIT = "checkpoint", "refit"
TENSORBOARD = "tensorboard"
LOCK = ".lock"
NAMES = frozenset(
    (
        RUN_JSON,
        SPEC,
        SPLIT,
        HISTORY,
        METRICS,
        REPORT,
        EVALUATION,
        MODEL,
        CHECKPOINT,
        TENSORBOARD,
        LOCK,
    )
)
"""All that a run may hold, but for what is being made in it, whose names begin with `BUILDING`."""

BUILDING = (".work-", ".model-", ".replaced-", *(f".{name}-" for name in sorted(NAMES)))


def write_atomic(path: Path, content: bytes) -> None:
    """Writes a temporary file beside `path`, flushes it to the disk and renames it."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_text(path: Path, text: str) -> None:
    """`write_atomic` of UTF-8 text; bytes that were no UTF-8 in a path come back as they were."""
    write_atomic(path, text.encode("utf-8", "surrogateescape"))


def write_json(path: Path, document: Any) -> None:
    """`write_atomic` of an indented JSON document, in ASCII."""
    write_atomic(path, (json.dumps(document, indent=2) + "\n").encode("ascii"))


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """`write_atomic` of a CSV file with a header row."""
    text = io.StringIO()
    plain = csv.writer(text, lineterminator="\n")
    # csv leaves a carriage return unquoted where it is no part of the line end.
    quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    plain.writerow(header)
    for row in rows:
        odd = any("\r" in str(value) for value in row)
        (quoted if odd else plain).writerow(row)
    write_text(path, text.getvalue())


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of what `write_csv` wrote, by column name."""
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))


def _umask() -> int:
    """The process's file mode mask; there is no way to read it but to set it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
