"""All findings together: the right ones for a dirty folder, none for a clean one, in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from dlcli.data.findings import FROM_A_RUN, KINDS, Finding
from dlcli.data.index import index_dataset
from dlcli.data.inspection import inspect_pictures
from dlcli.data.quality import diagnose, left_out, sort_findings
from dlcli.events import NullReporter
from tests.data.drawings import draw, save, write_drawings
from tests.data.pictures import turned


def diagnose_folder(folder: Path) -> tuple[Finding, ...]:
    index = index_dataset(folder)
    paths = [file.path for file in index.files]
    return diagnose(index, inspect_pictures(index.folder, paths, NullReporter())).findings


def test_a_clean_folder(tmp_path: Path) -> None:
    write_drawings(tmp_path, {"a": 22, "b": 22})
    assert diagnose_folder(tmp_path) == ()


def make_dirty(folder: Path) -> Path:
    """One of each kind that can be found without a run; the names say which."""
    sizes = {"a": 25, "b": 25, "few": 2}
    train = {f"train/{name}": count for name, count in sizes.items()}
    write_drawings(folder, {**train, **{f"test/{name}": 4 for name in sizes}})
    a, b = folder / "train" / "a", folder / "train" / "b"
    save(draw(1), folder / "test" / "a" / "leak.png")  # train/a/001.png
    save(draw(2), b / "label_conflict.png")
    save(draw(3), a / "duplicate.png")
    save(draw(4).resize((192, 160), Image.Resampling.BICUBIC), a / "near_duplicate.png")
    (a / "corrupt.png").write_bytes(b"no picture")
    save(draw(9000), a / "wrong_suffix.jpg", format="PNG")
    save(draw(9001, (30, 20)), a / "tiny.png")
    save(Image.new("RGB", (80, 80), "white"), a / "blank.png")
    save(ImageEnhance.Brightness(draw(9002)).enhance(0.15), a / "dark.png")
    save(draw(9003, (400, 300)).filter(ImageFilter.GaussianBlur(5)), a / "blurred.png")
    (a / "turned.jpg").write_bytes(turned(draw(9004), 6, "JPEG"))
    save(draw(9005), a / "multi_frame.gif", save_all=True, append_images=[draw(9006)])
    save(draw(9007).convert("CMYK"), a / "odd_mode.tif")
    (folder / "train" / "none").mkdir()
    return folder


def test_each_kind_is_found_where_it_is(tmp_path: Path) -> None:
    findings = diagnose_folder(make_dirty(tmp_path))
    found = [finding.kind for finding in findings]
    assert set(found) == set(KINDS) - FROM_A_RUN
    assert found == sorted(found, key=KINDS.index)
    of_classes = {"empty_class", "small_class", "imbalance"}
    for kind in set(found) - of_classes:
        named = [path for one in findings if one.kind == kind for path in one.paths]
        assert kind in {Path(path).stem for path in named}
    assert {one.kind: one.detail for one in findings if one.kind in of_classes} == {
        "empty_class": "none: there is no picture in it",
        "small_class": "few: 2 pictures to learn from",
        "imbalance": "a has 35 pictures, few 2: 18 times as many",
    }


def test_left_out_mends_what_leaving_out_can_mend(tmp_path: Path) -> None:
    findings = diagnose_folder(make_dirty(tmp_path))
    for path in left_out(findings):
        (tmp_path / path).unlink()
    still = {finding.kind for finding in diagnose_folder(tmp_path)}
    mended = {finding.kind for finding in findings if finding.exclude}
    assert mended == {"leak", "label_conflict", "corrupt", "duplicate", "blank", "tiny"}
    assert not still & mended
    assert (tmp_path / "test" / "a" / "leak.png").exists()


def test_the_order_is_always_the_same(tmp_path: Path) -> None:
    findings = diagnose_folder(make_dirty(tmp_path))
    order = np.random.default_rng(0).permutation(len(findings))
    assert sort_findings(findings[place] for place in order) == findings


def test_what_a_run_found_stays_worst_first() -> None:
    issues = [Finding("unlikely_label", (path,), path) for path in ("c", "a", "b")]
    others = [Finding("blank", ("z",), ""), Finding("corrupt", ("z",), "")]
    ordered = sort_findings([*others, *issues])
    assert [one.paths[0] for one in ordered] == ["z", "c", "a", "b", "z"]
    assert [one.kind for one in ordered[::4]] == ["corrupt", "blank"]


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_single_class_can_be_checked(name: str, tmp_path: Path) -> None:
    write_drawings(tmp_path, {name: 20})
    assert diagnose_folder(tmp_path) == ()
