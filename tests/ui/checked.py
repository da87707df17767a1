"""Results of a check, made by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dlcli.commands.check import CheckResult, ClassCount, Gate
from dlcli.data.findings import Finding
from dlcli.data.full_census import FullCensus, Spread
from dlcli.data.index import SkippedFile

CLEAN = CheckResult(
    target=Path("my animals"),
    num_images=1240,
    classes=(ClassCount("cat", 1200), ClassCount("dog", 40)),
    splits={},
    findings=(),
    gates=(),
    census=FullCensus(
        {"JPEG": 1239, "PNG": 1},
        {"RGB": 1240},
        {"portrait": 0, "square": 1000, "landscape": 240},
        {"128 to 255": 1240},
        Spread(150, 200, 250),
        Spread(300, 300, 300),
        Spread(1.2, 1.5, 2),
    ),
    skipped=(),
    num_ignored=0,
    num_unreadable=0,
    left_out=(),
    uniform_classes=(),
)
FINDINGS = (
    Finding("leak", ("test/a", "train/b"), "the same picture in train and test", ("train/b",)),
    Finding("corrupt", ("cat/x",), "truncated", ("cat/x",)),
    *(Finding("duplicate", (f"cat/{n}", f"dog/{n}"), "2 identical files") for n in range(45)),
    Finding("near_duplicate", tuple(f"cat/{n}" for n in range(9)), "9 pictures that look alike"),
    Finding("small_class", (), "dog: 4 pictures to learn from", classes=("dog",)),
    Finding("turned", ("cat/t",), "turned upright as its EXIF data asks"),
)
DIRTY = replace(
    CLEAN,
    splits={"train": 1000, "test": 240},
    findings=FINDINGS,
    gates=(Gate("leak", None, 0, 1, passed=False), Gate("tiny", None, 0, 0, passed=True)),
    skipped=tuple(SkippedFile(f"cat/skipped{n}", "not a picture") for n in range(50)),
    num_ignored=2,
    num_unreadable=50,
    left_out=("cat/x", "train/b"),
    uniform_classes=("road",),
)
