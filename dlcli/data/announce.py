"""What the user hears about a data set: what was found, how it was split, and what is amiss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlcli.data.index import DatasetIndex, SkippedFile
from dlcli.data.partition import EarlierSplit
from dlcli.data.split import TEST, TRAIN, VAL
from dlcli.events import Reporter, Said, Warned

if TYPE_CHECKING:
    from dlcli.data.dataset import Dataset

FEW_TEST_IMAGES = 30
_NAMED = 3


def list_skipped(skipped: Sequence[SkippedFile], most: int = _NAMED) -> str:
    """`cat/a.jpg (truncated), dog/b.jpg (not a picture), and 4 more`"""
    named = [f"{file.path} ({file.reason})" for file in skipped[:most]]
    more = len(skipped) - len(named)
    return ", ".join(named) + (f", and {more} more" if more else "")


def announce_index(index: DatasetIndex, reporter: Reporter) -> None:
    """The classes and their sizes, and what is left out."""
    counts = index.counts()
    shown = ", ".join(f"{name} {count}" for name, count in list(counts.items())[:8])
    more = f", and {len(counts) - 8} more classes" if len(counts) > 8 else ""
    name = index.source.resolve().name
    classes = f"{len(counts)} classes" if len(counts) > 1 else "1 class"
    reporter.report(Said(f"{name} · {classes} · {len(index.files)} pictures · {shown}{more}"))
    if index.num_ignored:
        reporter.report(Said(f"passed over: {index.num_ignored} files that are no pictures"))
    announce_columns(index, reporter)
    if index.empty_classes:
        names = ", ".join(index.empty_classes)
        reporter.report(Warned(f"left out, since there are no pictures in it: {names}"))


def announce_columns(index: DatasetIndex, reporter: Reporter) -> None:
    """What stands in a manifest and is not used."""
    if index.unused_columns:
        reporter.report(Said(f"columns not used: {', '.join(index.unused_columns)}"))


def announce_skipped(skipped: Sequence[SkippedFile], reporter: Reporter) -> None:
    """How many files cannot be used, and the first of them."""
    if skipped:
        reporter.report(Warned(f"skipped {len(skipped)}: {list_skipped(skipped)}"))


def announce_dataset(dataset: Dataset, reporter: Reporter) -> None:
    """The parts, what was skipped, and what makes the numbers worth less."""
    counts = dataset.num_images()
    shares = ", ".join(f"{counts[split]} {split}" for split in (TRAIN, VAL, TEST))
    reporter.report(Said(f"split: {shares} ({_origin(dataset)}{_kept_together(dataset)})"))
    announce_skipped(dataset.skipped, reporter)
    conflicts = _label_conflicts(dataset)
    if conflicts:
        reporter.report(
            Warned(f"{len(conflicts)} pictures lie in two classes, e.g. {conflicts[0]}")
        )
    _warn_of_likeness(dataset, reporter)
    _warn_of_small_parts(dataset, counts, reporter)


def _origin(dataset: Dataset) -> str:
    rule = dataset.rule
    if isinstance(rule, EarlierSplit):
        added = f"; {dataset.num_added} added pictures" if dataset.num_added else ""
        return f"as in {rule.name}{added}"
    given = {file.split for file in dataset.index.files if file.split}
    dealt = f"seed {rule.seed}" if {TRAIN, VAL, *given} != given else ""
    said = f"as the {'manifest says' if dataset.index.is_manifest else 'folders say'}"
    return "; the rest by ".join(filter(None, (said if given else "", dealt)))


def _kept_together(dataset: Dataset) -> str:
    """Said where we chose: pictures that may have gone apart and did not."""
    if dataset.index.is_split:
        return ""
    related = dataset.related
    found = [(related.num_copies, "duplicate"), (related.num_near, "near duplicate")]
    shown = [f"{count} {word}{'s' if count > 1 else ''}" for count, word in found if count]
    if any(file.group for file in dataset.index.files):
        shown.append(f"{len({file.group for file in dataset.index.files if file.group})} groups")
    return f"; {' and '.join(shown)} kept together" if shown else ""


def _warn_of_likeness(dataset: Dataset, reporter: Reporter) -> None:
    if dataset.related.uniform_classes:
        names = ", ".join(dataset.related.uniform_classes)
        reporter.report(
            Warned(
                f"most pictures look alike in {names}: near duplicates are not kept together "
                "there, and the numbers may flatter"
            )
        )
    parts: dict[str, set[str | None]] = {}
    for group, split in zip(dataset.related.names, dataset.splits, strict=True):
        if split:
            parts.setdefault(group, set()).add(split)
    straddling = sum(
        split == TRAIN and len(parts[group]) > 1
        for group, split in zip(dataset.related.names, dataset.splits, strict=True)
    )
    if straddling:
        reporter.report(
            Warned(
                f"{straddling} training pictures belong together with some of val or test: the "
                "numbers flatter (`dlcli check` lists them)"
            )
        )


def _warn_of_small_parts(dataset: Dataset, counts: dict[str, int], reporter: Reporter) -> None:
    if not counts[TEST]:
        reporter.report(
            Warned("there is no test part: the numbers come from val, which also chose the model")
        )
    elif counts[TEST] < FEW_TEST_IMAGES:
        reporter.report(Warned(f"{counts[TEST]} test pictures are too few for a number to trust"))
    tested = {dataset.index.files[row].label for row in dataset.rows(TEST)}
    if counts[TEST] and not dataset.index.is_split and len(tested) < len(dataset.class_names):
        missing = [name for label, name in enumerate(dataset.class_names) if label not in tested]
        reporter.report(Warned(f"too few pictures to test: {', '.join(missing)}"))


def _label_conflicts(dataset: Dataset) -> list[str]:
    """`cat/a.jpg = dog/b.jpg` for each picture that lies under two classes."""
    first: dict[str, int] = {}
    conflicts = []
    for row, sha256 in enumerate(dataset.store.sha256s):
        if dataset.splits[row] is None:
            continue
        other = first.setdefault(sha256, row)
        files = dataset.index.files
        if files[other].label != files[row].label:
            conflicts.append(f"{files[other].path} = {files[row].path}")
    return conflicts
