"""The page of a check: whole, self-contained, and safe whatever names say."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from pathlib import Path

import pytest

from dlcli.commands.check import CheckResult, ClassCount
from dlcli.data.findings import Finding
from dlcli.data.index import SkippedFile
from dlcli.ui.check_page import MOST_FINDINGS, MOST_PICTURES, check_page, shown_paths
from tests.ui.checked import CLEAN, DIRTY
from tests.ui.pages import Page, read_page, require_alone


def page_of(result: CheckResult) -> Page:
    return read_page(check_page(result))


@pytest.mark.parametrize("result", [CLEAN, DIRTY])
def test_it_is_whole_and_stands_alone(result: CheckResult) -> None:
    require_alone(check_page(result))


def test_a_clean_folder() -> None:
    text = page_of(CLEAN).text
    assert "Nothing is wrong with these pictures" in text
    assert "1,240 pictures in 2 classes" in text
    assert "left out" not in text


def test_a_dirty_folder_says_how_bad_it_is() -> None:
    text = page_of(DIRTY).text
    assert "50 things were found: 2 harm a training, 47 deserve a look, 1 is good to know." in text
    assert "2 pictures would better be left out" in text
    assert "dlcli check 'my animals' --json > findings.json" in text
    assert "leave" in text.lower()


def test_sections_come_by_gravity() -> None:
    kinds = ["leak", "corrupt", "duplicate", "near_duplicate", "small_class", "turned"]
    assert page_of(DIRTY).ids == [*kinds, "census", "skipped"]


def test_only_so_many_of_a_kind() -> None:
    text = page_of(DIRTY).text
    assert f"cat/{MOST_FINDINGS - 1} " in text
    assert f"cat/{MOST_FINDINGS} " not in text
    assert f"and {45 - MOST_FINDINGS} more" in text
    assert f"and {9 - MOST_PICTURES} more" in text
    assert "cat/skipped39 " in text
    assert "and 10 more" in text


def test_shown_paths_are_those_of_the_page() -> None:
    paths = shown_paths(DIRTY.findings)
    assert paths[:3] == ["test/a", "train/b", "cat/x"]
    assert len(paths) == len(set(paths))
    # Of copies one is shown, of others a few; the first pictures of the group are copies too.
    assert paths[3:] == [f"cat/{number}" for number in range(MOST_FINDINGS)] + ["cat/t"]


def test_thumbnails_are_inside() -> None:
    content = b"\xff\xd8 a picture"
    page = page_of(replace(DIRTY, thumbnails={"train/b": content, "cat/t": content}))
    assert page.sources == [f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"] * 2
    assert page.text.count("cannot be shown") == len(shown_paths(DIRTY.findings)) - 2 + 4


def test_names_are_escaped() -> None:
    evil = "<script>alert('x')</script>&\"<img src=x onerror=alert(1)>"
    result = replace(
        DIRTY,
        target=Path(evil.replace("/", "")),
        classes=(ClassCount(evil, 3),),
        findings=(Finding("leak", (evil, evil), evil), Finding("small_class", (), evil)),
        skipped=(SkippedFile(evil, evil),),
        uniform_classes=(evil,),
    )
    page = page_of(result)
    assert page.sources == []
    assert page.handlers == []
    assert page.text.count("alert('x')") >= 7


def test_a_name_that_is_no_utf_8_can_be_written() -> None:
    result = replace(
        CLEAN,
        target=Path("x\udcff"),
        classes=(ClassCount("c\udcff", 3),),
        findings=(Finding("dark", ("a\udcff.png",), "dark\udcff"),),
        skipped=(SkippedFile("b\udcff", "no"),),
        uniform_classes=("c\udcff",),
    )
    assert check_page(result).encode("utf-8")


def test_nothing_readable() -> None:
    census = replace(
        CLEAN.census,
        formats={},
        modes={},
        shapes={},
        shorter_sides={},
        heights=None,
        widths=None,
        aspect_ratios=None,
    )
    result = replace(CLEAN, num_images=0, classes=(ClassCount("cat", 0),), census=census)
    assert "0 pictures in 1 class" in page_of(result).text


def test_bars_never_leave_their_track() -> None:
    widths = [float(width) for width in re.findall(r"width:([0-9.]+)%", check_page(DIRTY))]
    assert len(widths) >= 10
    assert max(widths) == 100
    assert min(widths) >= 0
