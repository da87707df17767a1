"""What an inspection would have found, without the pictures."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from dlcli.data.index import DatasetIndex, ImageFile
from dlcli.data.inspection import FACTS, Inspection, PictureFacts
from dlcli.data.likeness import LOOK

FINE = {
    "format": "JPEG",
    "mode": "RGB",
    "height": 200,
    "width": 300,
    "num_frames": 1,
    "has_wrong_suffix": False,
    "is_transparent": False,
    "is_turned": False,
    "brightest": 240,
    "spread": 60.0,
    "sharpness": 0.9,
}


def look(seed: int) -> Any:
    """A look; other seeds give one that is nothing like it."""
    rng = np.random.default_rng(seed)
    made = np.zeros((), LOOK)
    made["hash"] = rng.integers(0, 2**63)
    made["thumbnail"] = rng.integers(0, 256, (16, 16, 3))
    return made


def facts(seed: int, **others: Any) -> PictureFacts:
    """A picture that nothing is wrong with, like no other, apart from `others`."""
    sha256 = hashlib.sha256(bytes([seed % 256, seed // 256])).digest()
    return PictureFacts(**{**FINE, "sha256": sha256, "look": look(seed), **others})


def inspected(*found: PictureFacts | str) -> Inspection:
    inspection = Inspection(np.zeros(len(found), FACTS))
    for row, one in enumerate(found):
        inspection.add(row, one)
    return inspection


def index_of(*paths: str, groups: dict[str, str] | None = None, empty: tuple[str, ...] = ()) -> Any:
    """`cat/a.jpg` or `train/cat/a.jpg`, as a data set."""
    parts = [path.split("/") for path in paths]
    names = tuple(sorted({own[-2] for own in parts}))
    files = tuple(
        ImageFile(
            path,
            names.index(own[-2]),
            own[0] if len(own) == 3 else None,
            (groups or {}).get(path),
        )
        for path, own in zip(paths, parts, strict=True)
    )
    return DatasetIndex(Path("x"), names, files, empty_classes=empty, source=Path("x"))
