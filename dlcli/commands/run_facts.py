"""What a run's own files tell of it, for a page."""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from dlcli.commands.page_facts import Census, ClassCounts, Epoch
from dlcli.errors import DataError

if TYPE_CHECKING:
    from dlcli.artifact import ModelFacts
    from dlcli.data.pixels import PixelFormat
    from dlcli.runs.run import Run

PARTS = ("train", "val", "test")


def take_census(pictures: Iterable[Sequence[str]], class_names: Sequence[str]) -> Census | None:
    """Of rows (path, class, part, group, sha256); None where there is none."""
    counts: Counter[tuple[str, str]] = Counter()
    groups: Counter[str] = Counter()
    parts_of: defaultdict[str, set[str]] = defaultdict(set)
    sha256s = set()
    for _, name, part, group, sha256 in pictures:
        counts[name, part] += 1
        groups[group] += 1
        parts_of[group].add(part)
        sha256s.add(sha256)
    total = counts.total()
    if not total:
        return None
    parts = tuple(part for part in PARTS if any(own == part for _, own in counts))
    sizes = [size for size in groups.values() if size > 1]
    return Census(
        parts,
        tuple(
            ClassCounts(name, tuple(counts[name, part] for part in parts)) for name in class_names
        ),
        total - len(sha256s),
        sum(sizes),
        len(sizes),
        sum(len(found) > 1 for found in parts_of.values()),
    )


def read_epochs(run: Run) -> tuple[Epoch, ...]:
    """The rows of history.csv; none where there is no such file."""
    from dlcli.runs import files

    path = run.folder / files.HISTORY
    if not path.is_file():
        return ()
    try:
        return tuple(
            Epoch(
                row["stage"],
                _number(row["loss"]),
                _number(row["accuracy"]),
                float(row["val_loss"]),
                float(row["val_accuracy"]),
                row["kept"] == str(True),
            )
            for row in files.read_csv(path)
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            "this run's history is damaged.",
            where=str(path),
            fix="Remove the file, or name another run with --run.",
        ) from error


def _number(cell: str) -> float | None:
    return float(cell) if cell else None


def read_spec_text(run: Run) -> str | None:
    """The spec that the run was made with; None where it is no longer there."""
    from dlcli.runs import files

    try:
        return (run.folder / files.SPEC).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def describe_making(
    about: Mapping[str, Any], model: ModelFacts, pixel_format: PixelFormat
) -> dict[str, str]:
    """What a model is made of and, where run.json says so, where and from what, in words."""
    height, width = pixel_format.image_size
    data = about.get("data", {})
    seconds = about.get("seconds", {}).get("total")
    found = {
        "model": f"{model.backbone or 'layers of its own'}, from {model.weights}; "
        f"{model.parameters:,} parameters, {model.trainable_parameters:,} of them trained last",
        "body": f"{model.body}, features: {model.pooling}",
        "pictures": f"{width} × {height} pixels, {pixel_format.resize}, {pixel_format.color}",
        "command": shlex.join(about.get("command", ())),
        "folder": data.get("folder", ""),
        "fingerprint": data.get("fingerprint", ""),
        "seed": str(about.get("seed", "")),
        "started": about.get("started", ""),
        "time": "" if seconds is None else f"{seconds:.1f} s",
        "device": _device(about.get("device", {})),
        "platform": about.get("platform", ""),
        "versions": ", ".join(
            f"{name} {version}" for name, version in about.get("versions", {}).items()
        ),
    }
    return {name: value for name, value in found.items() if value}


def _device(found: Mapping[str, Any]) -> str:
    from dlcli.machine.device import Device

    known = {field.name for field in fields(Device)} - {"capability"}
    named = {name: value for name, value in found.items() if name in known}
    return Device(**named).describe() if "kind" in named else ""
