"""dlcli check: targets, gates, and where the report may lie."""

from __future__ import annotations

import os
import shutil
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import pytest

from dlcli.commands.check import (
    CheckOptions,
    CheckResult,
    ClassCount,
    Gate,
    read_kinds,
    require_gates,
    run,
    write_report,
)
from dlcli.data.findings import KINDS
from dlcli.data.index import SkippedFile
from dlcli.errors import DataError, DlcliError, ExitCode, GateError, SpecError, UsageError
from dlcli.events import Event, NullReporter, Said
from tests.data.drawings import draw, save, write_drawings


def check(target: Path, **others: object) -> CheckResult:
    options = CheckOptions(target, Path("no-runs"), **others)  # type: ignore[arg-type]
    return run(options, NullReporter())


def kinds_of(result: CheckResult) -> list[str]:
    return [finding.kind for finding in result.findings]


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    return write_drawings(tmp_path / "clean", {"cat": 21, "dog": 20})


@pytest.fixture
def dirty(clean: Path) -> Path:
    """Two copies, a file that cannot be read, and a stray."""
    for number in (1, 2):
        shutil.copy(clean / "cat" / f"00{number}.png", clean / "cat" / f"copy{number}.png")
    (clean / "dog" / "bad.jpg").write_text("words")
    (clean / "stray.png").write_text("words")
    (clean / "notes.txt").write_text("words")
    return clean


def test_a_clean_folder(clean: Path) -> None:
    result = check(clean)
    assert (result.num_images, result.findings, result.skipped) == (41, (), ())
    assert result.classes == (ClassCount("cat", 21), ClassCount("dog", 20))
    assert (result.splits, result.gates, result.left_out) == ({}, (), ())
    assert result.census.formats == {"PNG": 41}


def test_a_dirty_folder(dirty: Path) -> None:
    result = check(dirty)
    assert kinds_of(result) == ["corrupt", "duplicate", "duplicate"]
    assert result.num_images == 43
    assert result.skipped == (
        SkippedFile("stray.png", "lies beside the class folders, not in one"),
        SkippedFile("dog/bad.jpg", "not a picture"),
    )
    assert (result.num_ignored, result.num_unreadable) == (1, 1)
    assert result.left_out == ("cat/copy1.png", "cat/copy2.png", "dog/bad.jpg")


def test_a_split_folder(tmp_path: Path) -> None:
    write_drawings(tmp_path, {"training/cat": 20, "training/dog": 20, "valid/cat": 3})
    result = check(tmp_path)
    assert result.splits == {"train": 40, "val": 3}
    assert [one.detail for one in result.findings] == ["dog: val has no picture of it"]


def test_a_folder_of_one_class(tmp_path: Path) -> None:
    write_drawings(tmp_path, {"cat": 20})
    assert check(tmp_path).findings == ()


def test_a_folder_of_which_nothing_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.jpg").write_text("words")
    result = check(tmp_path)
    assert (result.num_images, kinds_of(result)) == (0, ["corrupt", "empty_class"])
    assert result.census.widths is None


def test_a_manifest(clean: Path) -> None:
    manifest = clean / "list.csv"
    manifest.write_text(
        "path,label,note\ncat/001.png,cat,x\ndog/001.png,dog,y\ndog/gone.png,dog,z\n"
    )
    heard: list[Event] = []

    class Recorder:
        def report(self, event: Event) -> None:
            heard.append(event)

    result = run(CheckOptions(manifest, Path("no-runs"), ("corrupt",)), Recorder())
    assert kinds_of(result) == ["corrupt", "small_class", "small_class"]
    assert result.findings[0].detail == "no such file (line 4 of list.csv)"
    assert (result.num_images, result.num_unreadable, len(result.skipped)) == (2, 1, 1)
    assert not result.gates[0].passed
    assert Said("columns not used: note") in heard


@pytest.mark.usefixtures("dirty")
def test_a_spec(tmp_path: Path) -> None:
    spec, findings = tmp_path / "my.yaml", tmp_path / "leave-out.txt"
    spec.write_text("data:\n  folder: clean\n")
    assert kinds_of(check(spec)) == ["corrupt", "duplicate", "duplicate"]
    findings.write_text("cat/copy1.png\ndog/bad.jpg\n")
    spec.write_text("data:\n  folder: clean\n  exclude: leave-out.txt\n")
    result = check(spec)
    assert kinds_of(result) == ["duplicate"]
    assert SkippedFile("dog/bad.jpg", "excluded by leave-out.txt") in result.skipped
    assert result.num_unreadable == 0


def test_a_spec_with_faults(tmp_path: Path) -> None:
    spec = tmp_path / "my.yaml"
    spec.write_text("data:\n  foldr: x\n")
    with pytest.raises(SpecError, match="Did you mean folder"):
        check(spec)
    spec.write_text("train:\n  seed: 3\n")
    with pytest.raises(UsageError, match="names no folder"):
        check(spec)


def test_targets_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no such folder"):
        check(tmp_path / "nowhere")
    with pytest.raises(DataError, match="no pictures"):
        check(tmp_path)


def test_gates(dirty: Path) -> None:
    result = check(dirty, fail_on=("leak, duplicate", "corrupt,duplicate"))
    assert result.gates == (
        Gate("leak", None, 0, 0, passed=True),
        Gate("duplicate", None, 0, 2, passed=False),
        Gate("corrupt", None, 0, 1, passed=False),
    )
    with pytest.raises(
        GateError, match=r"not to be there: duplicate \(2\), corrupt \(1\)"
    ) as error:
        require_gates(result, strict=False)
    assert error.value.exit_code == ExitCode.GATE


def test_without_gates_whatever_is_found_is_fine(dirty: Path) -> None:
    require_gates(check(dirty), strict=False)
    require_gates(check(dirty, fail_on=("leak",)), strict=False)


def test_strict_is_about_what_cannot_be_read(dirty: Path) -> None:
    with pytest.raises(DataError, match="1 of the files cannot be read") as error:
        require_gates(check(dirty, fail_on=("duplicate",)), strict=True)
    assert error.value.exit_code == ExitCode.DATA
    (dirty / "dog" / "bad.jpg").unlink()
    require_gates(check(dirty), strict=True)


def test_every_kind_can_be_a_gate() -> None:
    assert read_kinds([",".join(KINDS)]) == KINDS
    assert read_kinds([]) == ()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("duplicates", "Did you mean duplicate"),
        ("leak,corupt", "Did you mean corrupt"),
        ("", 'called ""'),
        ("leak,", 'called ""'),
        ("LEAK", 'called "LEAK"'),
    ],
)
def test_an_unknown_kind(typed: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        check(tmp_path / "is not even looked at", fail_on=(typed,))


def test_what_only_a_run_can_find_needs_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--labels RUN"):
        check(tmp_path / "is not even looked at", fail_on=("outlier",))
    with pytest.raises(UsageError, match="there is no such run"):
        check(tmp_path / "is not even looked at", labels="no-such-run")


@dataclass(frozen=True)
class Issue:
    row: int
    kind: str
    detail: str
    score: float


def test_labels_become_findings_the_worst_first(
    dirty: Path, trained_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In place of the model something that always says the same of the rows it is given."""
    asked: list[list[int]] = []
    module = types.ModuleType("dlcli.commands.label_check")

    def find_label_issues(_: object, readable: list[int], *_others: object) -> list[Issue]:
        asked.append(readable)
        return [
            Issue(30, "unlikely_label", "dog 0.02; cat 0.97", 0.9),
            Issue(4, "unlikely_label", "cat 0.10", 0.8),
            Issue(5, "outlier", "like no other", 0.7),
        ]

    module.find_label_issues = find_label_issues  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "dlcli.commands.label_check", module)
    result = check(dirty, labels=str(trained_run), fail_on=("unlikely_label",))
    found = [one for one in result.findings if one.kind in ("unlikely_label", "outlier")]
    assert [(one.paths, one.detail, one.exclude, one.classes) for one in found] == [
        (("dog/007.png",), "dog 0.02; cat 0.97", ("dog/007.png",), ("dog",)),
        (("cat/004.png",), "cat 0.10", ("cat/004.png",), ("cat",)),
        (("cat/005.png",), "like no other", (), ("cat",)),
    ]
    assert kinds_of(result)[1:3] == ["unlikely_label", "unlikely_label"]
    assert result.gates[0].value == 2
    assert asked == [[row for row in range(44) if row != 43]]


def test_the_report_is_written(dirty: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = check(dirty, report=page)
    assert not page.exists()
    write_report(result, page)
    assert "cat/copy1.png" in page.read_text()
    assert set(result.thumbnails) == {"cat/001.png", "cat/002.png"}


def test_without_a_report_no_thumbnails_are_made(dirty: Path) -> None:
    assert check(dirty).thumbnails == {}


def refusal(target: Path, report: Path, **others: object) -> str:
    with pytest.raises(DlcliError) as error:
        check(target, report=report, **others)
    assert error.value.exit_code == ExitCode.USAGE
    return str(error.value)


def test_a_report_is_not_overwritten(clean: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("mine")
    assert "--force" in refusal(clean, page)
    write_report(check(clean, report=page, force=True), page)
    assert page.read_text() != "mine"


def test_a_report_needs_its_folder(clean: Path, tmp_path: Path) -> None:
    assert "there is no such folder" in refusal(clean, tmp_path / "nowhere" / "page.html")
    assert "this is a folder" in refusal(clean, tmp_path)


@pytest.mark.parametrize("place", ["page.html", "cat/page.html", "notes/page.html"])
def test_a_report_never_lies_in_the_data_set(place: str, clean: Path) -> None:
    (clean / "notes").mkdir()
    assert "among the pictures" in refusal(clean, clean / place)
    os.symlink(clean, clean.parent / "another-way")
    assert "among the pictures" in refusal(clean, clean.parent / "another-way" / place)
    assert "among the pictures" in refusal(clean.parent / "another-way", clean / place)


def test_beside_a_manifest_a_report_may_lie_where_no_pictures_do(clean: Path) -> None:
    manifest = clean / "list.csv"
    manifest.write_text("path,label\ncat/001.png,cat\ndog/001.png,dog\n")
    (clean / "cat" / "below").mkdir()
    for place in ("cat/page.html", "cat/below/page.html"):
        assert "among the pictures" in refusal(manifest, clean / place)
    write_report(check(manifest, report=clean / "page.html"), clean / "page.html")
    assert "this is what is to be looked at" in refusal(manifest, manifest, force=True)
    save(draw(77), clean / "top.png")
    manifest.write_text("path,label\ncat/001.png,cat\ntop.png,dog\n")
    assert "among the pictures" in refusal(manifest, clean / "page.html", force=True)


def test_the_report_of_a_spec_never_lies_in_its_data_set(clean: Path, tmp_path: Path) -> None:
    spec = tmp_path / "my.yaml"
    spec.write_text("data:\n  folder: clean\n")
    assert "among the pictures" in refusal(spec, clean / "page.html")
    write_report(check(spec, report=tmp_path / "page.html"), tmp_path / "page.html")
