"""The list of a data set's pictures and their labels. Lists names, reads no pixel."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from dlcli.errors import UsageError

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
"""What people call the parts of a data set, in lower case."""
MANIFEST_SUFFIX = ".csv"


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that is not used, and why; the path is relative to the data set's folder."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A candidate picture: its path relative to the folder (with `/`), its label, its split.

    `split` is "train", "val" or "test" where the folder or the manifest says so, else None.
    `group` is what a manifest says must not be divided between splits.
    """

    path: str
    label: int
    split: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class DatasetIndex:
    """What is there: candidates in a stable order, sorted class names, and what was left out.

    `folder` is what the paths are relative to, `source` what was named: the folder, or a manifest,
    of which `unused_columns` were passed over and `missing`, some of `skipped`, are not there.
    """

    folder: Path
    class_names: tuple[str, ...]
    files: tuple[ImageFile, ...]
    skipped: tuple[SkippedFile, ...] = ()
    num_ignored: int = 0
    empty_classes: tuple[str, ...] = ()
    source: Path = Path()
    unused_columns: tuple[str, ...] = ()
    missing: tuple[SkippedFile, ...] = ()

    @property
    def is_split(self) -> bool:
        """Whether it says itself which pictures are for training and which for testing."""
        return any(file.split for file in self.files)

    @property
    def is_manifest(self) -> bool:
        """Whether a manifest was named."""
        return self.source != self.folder

    def counts(self) -> dict[str, int]:
        """The number of candidates of each class, in class order."""
        found = Counter(file.label for file in self.files)
        return {name: found[label] for label, name in enumerate(self.class_names)}


def index_dataset(target: Path) -> DatasetIndex:
    """Lists a folder of labelled pictures, or the pictures that a manifest (.csv) names.

    Raises:
        UsageError: if it is not there.
        DataError: if it holds no picture, or the manifest is faulty.
    """
    from dlcli.data.folders import index_folder
    from dlcli.data.manifest import index_manifest

    is_named_manifest = target.suffix.lower() == MANIFEST_SUFFIX
    if not target.exists():
        if is_named_manifest:
            raise UsageError(
                "there is no such file.",
                where=str(target),
                fix="Name a manifest (path,label), or a folder of class folders.",
            )
        raise UsageError(
            "there is no such folder.",
            where=str(target),
            fix="Name a folder that holds one sub-folder of pictures for each class.",
        )
    if target.is_dir():
        return index_folder(target)
    if is_named_manifest:
        return index_manifest(target)
    raise UsageError(
        "this is a file, not a folder.",
        where=str(target),
        fix="Name the folder that holds one sub-folder of pictures for each class, or a manifest "
        "(.csv).",
    )
