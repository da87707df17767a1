"""What a check found, as text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dlcli.commands.check import ClassCount
from dlcli.data.findings import Finding
from dlcli.ui.check_lines import check_lines
from tests.ui.checked import CLEAN, DIRTY

pytestmark = pytest.mark.usefixtures("plain")


def test_a_clean_folder() -> None:
    assert list(check_lines(CLEAN)) == [
        " my animals · 1,240 pictures in 2 classes: cat 1,200, dog 40",
        " JPEG 1,239, PNG 1 · RGB 1,240 · 300 pixels wide, 150 to 250 (median 200) high",
        "",
        " Nothing is wrong with it: every picture can be read, and none is there twice.",
    ]


def test_a_dirty_folder() -> None:
    assert list(check_lines(DIRTY)) == [
        " my animals · 1,240 pictures in 2 classes: cat 1,200, dog 40",
        " 1,000 train, 240 test",
        " JPEG 1,239, PNG 1 · RGB 1,240 · 300 pixels wide, 150 to 250 (median 200) high",
        " passed over 2 files that are known to be no pictures",
        " 50 cannot be used: cat/skipped0 (not a picture), cat/skipped1 (not a picture), "
        "cat/skipped2 (not a picture), and 47 more",
        " most pictures look alike in road: near duplicates are not listed there",
        "",
        " leak                 1  the same picture in more than one part",
        "   test/a, train/b: the same picture in train and test",
        " corrupt              1  files that cannot be read",
        "   cat/x: truncated",
        " duplicate           45  identical files",
        "   cat/0, dog/0: 2 identical files",
        "   cat/1, dog/1: 2 identical files",
        "   cat/2, dog/2: 2 identical files",
        "   and 42 more",
        " near_duplicate       1  pictures that look alike",
        "   cat/0, cat/1, cat/2, and 6 more: 9 pictures that look alike",
        " small_class          1  classes of few pictures",
        "   dog: 4 pictures to learn from",
        " turned               1  pictures that the camera stored lying",
        "   cat/t: turned upright as its EXIF data asks",
        "",
        " 2 pictures would better be left out. To train without them:",
        "   dlcli check 'my animals' --json > findings.json",
        "   and in the spec, below data:   exclude: findings.json",
        " See them:  dlcli check 'my animals' --report report.html",
        "",
        " gates  leak                 1  <= 0  NOT MET",
        "        tiny                 0  <= 0  passed",
    ]


def test_gates_of_a_clean_folder_are_listed() -> None:
    lines = list(check_lines(replace(CLEAN, gates=DIRTY.gates[1:])))
    assert lines[-2:] == ["", " gates  tiny                 0  <= 0  passed"]


def test_with_a_report_none_is_advertised() -> None:
    lines = list(check_lines(replace(DIRTY, thumbnails={"cat/t": b"x"})))
    assert not [line for line in lines if "--report" in line]


def test_what_leaving_out_does_not_mend_gets_no_advice_to_do_so() -> None:
    lines = list(check_lines(replace(CLEAN, findings=DIRTY.findings[-1:])))
    assert not [line for line in lines if "exclude" in line]
    assert lines[-1] == " See them:  dlcli check 'my animals' --report report.html"


def test_one_of_everything() -> None:
    single = replace(CLEAN, num_images=1, classes=(ClassCount("cat", 1),), num_ignored=1)
    lines = list(check_lines(single))
    assert lines[0] == " my animals · 1 picture in 1 class: cat 1"
    assert " passed over 1 file that is known to be no picture" in lines


def test_many_classes_are_cut_short() -> None:
    classes = tuple(ClassCount(f"c{number}", 5) for number in range(40))
    first = next(check_lines(replace(CLEAN, classes=classes)))
    assert first.endswith("c10 5, c11 5, and 28 more")


def test_names_cannot_command_a_terminal() -> None:
    evil = "a\x1b[2J\nb"
    finding = Finding("dark", (evil,), evil)
    result = replace(CLEAN, target=Path(evil), classes=(ClassCount(evil, 3),), findings=(finding,))
    for line in check_lines(result):
        assert "\x1b" not in line
        assert "\n" not in line


def test_nothing_readable() -> None:
    empty = replace(CLEAN.census, formats={}, modes={}, heights=None, widths=None)
    result = replace(DIRTY, num_images=0, census=empty)
    assert "pixels" not in "".join(check_lines(result))
