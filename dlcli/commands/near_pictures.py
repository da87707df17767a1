"""The training pictures that a run finds most like another picture."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.commands.open_run import OpenedRun
from dlcli.events import Reporter, Said

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dlcli.metrics.typicality import Typicality

NUM_NEAREST = 5


@dataclass(frozen=True)
class NearPicture:
    """A training picture and the cosine of its features with those of the picture asked about."""

    path: str
    label: str
    similarity: float


@dataclass
class TrainingPictures:
    """What a run was trained on, in the order of its training features: a row each of split.csv,
    with paths below `folder`. Thumbnails are made once."""

    folder: Path
    rows: list[dict[str, str]]
    typicality: Typicality
    _sha256s: dict[str, str] = field(default_factory=dict)
    _thumbnails: dict[str, bytes | None] = field(default_factory=dict)

    def nearest(self, features: NDArray[np.float32]) -> tuple[NearPicture, ...]:
        """The pictures nearest to the features (F,), the nearest first; the picture itself where it
        was trained on."""
        places, cosines = self.typicality.nearest(features, NUM_NEAREST)
        found = []
        for place, similarity in zip(places.tolist(), cosines.tolist(), strict=True):
            row = self.rows[place]
            path = str(self.folder / row["path"])
            self._sha256s[path] = row["sha256"]
            found.append(NearPicture(path, row["label"], similarity))
        return tuple(found)

    def thumbnail(self, path: str) -> bytes | None:
        """A small JPEG of the picture at a path that `nearest` gave; None where it is gone, or is
        another one than was trained on."""
        if path not in self._thumbnails:
            self._thumbnails[path] = self._make_thumbnail(path)
        return self._thumbnails[path]

    @property
    def num_gone(self) -> int:
        """How many of the pictures asked for could not be shown."""
        return sum(content is None for content in self._thumbnails.values())

    def _make_thumbnail(self, path: str) -> bytes | None:
        from dlcli.data.pixels import UnreadableImageError, read_file
        from dlcli.data.thumbnails import make_thumbnail

        try:
            sha256 = hashlib.sha256(read_file(path)).hexdigest()
        except UnreadableImageError:
            return None
        return make_thumbnail(Path(path)) if sha256 == self._sha256s[path] else None

    def lie_around(self, folder: Path) -> bool:
        """Whether what is written into `folder` would lie among these pictures, and be taken for
        some of them by the next training: in a folder that holds some, or where the folders of
        classes are."""
        root, inside = self.folder.resolve(), folder.resolve()
        if not inside.is_relative_to(root):
            return False
        parts = inside.relative_to(root).parts
        tops = {Path(row["path"]).parts[0] for row in self.rows}
        is_of_classes = tops <= {row["label"] for row in self.rows} | {"train", "training"}
        return not parts or parts[0] in tops or is_of_classes


def find_training_pictures(opened: OpenedRun, reporter: Reporter) -> TrainingPictures | None:
    """The training pictures of a run; None, with a sentence, where it cannot be said which they
    were or what they look like.

    Raises:
        DataError: if the run's list of pictures is damaged.
    """
    from dlcli.runs.run import Run

    own, typicality = Run(opened.folder).pictures(), opened.classifier.typicality
    if own is None:
        reporter.report(
            Said(
                "this model stands alone: what it was trained on is not known here, so no nearest "
                "training pictures are named"
            )
        )
        return None
    rows = own.of("train")
    if typicality is None or not _fits(typicality, len(rows)):
        reporter.report(
            Said(
                f"{opened.name} keeps no features of the pictures that its split.csv lists: no "
                "nearest training pictures are named"
            )
        )
        return None
    if typicality.rows is not None:
        reporter.report(
            Said(
                f"the nearest training pictures are sought among the {len(typicality.rows):,} of "
                f"{len(rows):,} whose features are kept"
            )
        )
    return TrainingPictures(own.folder, rows, typicality)


def _fits(typicality: Typicality, num_rows: int) -> bool:
    if typicality.rows is None:
        return len(typicality.training) == num_rows
    return bool(typicality.rows.max() < num_rows)
