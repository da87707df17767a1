"""The page of a check: whole, self-contained, and safe whatever names say."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dlcli.commands.check import CheckResult, ClassCount
from dlcli.data.findings import Finding
from dlcli.data.index import SkippedFile
from dlcli.ui.check_page import MOST_FINDINGS, MOST_PICTURES, check_page, shown_paths
from tests.ui.checked import CLEAN, DIRTY

VOID = {"meta", "img", "link", "br", "hr", "input"}


class Page(HTMLParser):
    """Checks that tags nest, and collects what a browser would load, run or show."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.handlers: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "srcset", "data"):
                self.sources.append(value or "")
            elif name == "href":
                self.targets.append(value or "")
            elif name == "id":
                self.ids.append(value or "")
            elif name.startswith("on"):
                self.handlers.append(name)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def page_of(result: CheckResult) -> Page:
    page = Page(check_page(result))
    assert page.open == []
    return page


@pytest.mark.parametrize("result", [CLEAN, DIRTY])
def test_it_is_whole_and_stands_alone(result: CheckResult) -> None:
    page = page_of(result)
    assert page.tags[:2] == ["html", "head"]
    assert not set(page.tags) & {"script", "link", "iframe", "object"}
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert all(target.startswith("#") for target in page.targets)
    assert {target[1:] for target in page.targets} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert "url(" not in check_page(result)
    assert "@import" not in check_page(result)
    assert "http" not in check_page(result)


def test_it_has_a_light_and_a_dark_look() -> None:
    assert "prefers-color-scheme: dark" in check_page(CLEAN)


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
