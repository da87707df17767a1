"""Each rule finds what it is for, and what is only nearly so is left alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcli.data.findings import Finding
from dlcli.data.frames import MOST_FRAMES
from dlcli.data.inspection import Inspection, PictureFacts
from dlcli.data.likeness import PLAIN_SPREAD
from dlcli.data.picture_rules import (
    BLURRED_SHARPNESS,
    DARK_LEVEL,
    TINY_SIDE,
    is_blank,
    picture_findings,
)
from tests.data.inspected import facts, inspected

GREY_LOOK = np.full((16, 16, 3), 90, np.uint8)


def findings_of(inspection: Inspection) -> list[Finding]:
    paths = [f"a/{row}.jpg" for row in range(len(inspection.facts))]
    return list(picture_findings(paths, inspection))


def kinds_of(*found: PictureFacts | str) -> list[str]:
    return [finding.kind for finding in findings_of(inspected(*found))]


def plain(seed: int, **others: Any) -> PictureFacts:
    made = facts(seed, spread=0.0, sharpness=0.0, **others)
    made.look["thumbnail"] = GREY_LOOK
    return made


def test_nothing_is_wrong_with_a_fine_picture() -> None:
    assert kinds_of(*(facts(seed) for seed in range(5))) == []


def test_corrupt() -> None:
    [finding] = findings_of(inspected(facts(0), "truncated", facts(1)))
    assert finding == Finding("corrupt", ("a/1.jpg",), "truncated", ("a/1.jpg",))


def test_tiny() -> None:
    large = [facts(seed) for seed in range(3)]
    [finding] = findings_of(inspected(*large, facts(9, height=TINY_SIDE - 1, width=400)))
    assert finding.kind == "tiny"
    assert finding.detail == "400 pixels wide and 31 high"
    assert finding.exclude == finding.paths == ("a/3.jpg",)
    assert kinds_of(*large, facts(9, height=TINY_SIDE, width=TINY_SIDE)) == []


def test_where_all_are_small_only_the_smallest_are_tiny() -> None:
    small = [facts(seed, height=28, width=28) for seed in range(5)]
    assert kinds_of(*small, facts(9, height=14, width=28)) == []
    assert kinds_of(*small, facts(9, height=13, width=28)) == ["tiny"]


def test_blank() -> None:
    almost = facts(1, spread=PLAIN_SPREAD - 0.1)
    almost.look["thumbnail"] = GREY_LOOK
    found = findings_of(inspected(plain(0), almost, facts(2, spread=PLAIN_SPREAD)))
    assert [(one.kind, one.detail) for one in found] == [
        ("blank", "all of one colour"),
        ("blank", "nearly all of one colour"),
    ]
    assert found[0].exclude == ("a/0.jpg",)


def test_colours_of_the_same_brightness_are_not_blank() -> None:
    made = facts(0, spread=0.0)
    made.look["thumbnail"] = GREY_LOOK
    made.look["thumbnail"][:8] = (120, 75, 90)
    assert not is_blank(inspected(made)).any()


def test_dark_is_not_blank_and_not_blurred() -> None:
    found = findings_of(inspected(facts(0, brightest=DARK_LEVEL - 1, sharpness=0.1)))
    assert [one.kind for one in found] == ["dark"]
    assert found[0].exclude == ()
    assert kinds_of(facts(0, brightest=DARK_LEVEL)) == []
    assert kinds_of(plain(0, brightest=3)) == ["blank"]


def test_blurred() -> None:
    assert kinds_of(facts(0, sharpness=BLURRED_SHARPNESS - 0.01)) == ["blurred"]
    assert kinds_of(facts(0, sharpness=BLURRED_SHARPNESS), facts(1, sharpness=np.inf)) == []
    large = [facts(seed) for seed in range(3)]
    assert kinds_of(*large, facts(9, sharpness=0.1, height=9)) == ["tiny"]


def test_wrong_suffix_turned_and_frames() -> None:
    found = findings_of(
        inspected(
            facts(0, has_wrong_suffix=True, format="PNG"),
            facts(1, is_turned=True),
            facts(2, num_frames=2),
            facts(3, num_frames=MOST_FRAMES),
        )
    )
    assert [(one.kind, one.detail, one.exclude) for one in found] == [
        ("wrong_suffix", "named .jpg, but it holds PNG", ()),
        ("multi_frame", "2 frames; the first is used", ()),
        ("multi_frame", "10,000 or more frames; the first is used", ()),
        ("turned", "turned upright as its EXIF data asks", ()),
    ]


def test_plain_modes_are_not_odd() -> None:
    modes = ("RGB", "L", "1", "P", "RGBA", "LA")
    assert kinds_of(*(facts(seed, mode=mode) for seed, mode in enumerate(modes))) == []


def test_one_finding_a_mode() -> None:
    found = findings_of(
        inspected(
            facts(0, mode="RGBA", is_transparent=True),
            facts(1, mode="RGBA"),
            facts(2, mode="CMYK"),
            facts(3, mode="RGBA", is_transparent=True),
            facts(4, mode="I;16B"),
            facts(5, mode="I;16", is_transparent=True),
        )
    )
    assert [(one.kind, one.paths, one.detail) for one in found] == [
        ("odd_mode", ("a/0.jpg", "a/3.jpg"), "RGBA: transparent parts, laid over white"),
        ("odd_mode", ("a/2.jpg",), "CMYK: the colours of print, converted without their profile"),
        ("odd_mode", ("a/4.jpg",), "I;16B: 16 bits, divided by 257"),
        ("odd_mode", ("a/5.jpg",), "I;16: transparent parts, laid over white"),
    ]


@pytest.mark.parametrize("mode", ["F", "I", "LAB", "HSV", "YCbCr"])
def test_every_odd_mode_has_its_rule(mode: str) -> None:
    [finding] = findings_of(inspected(facts(0, mode=mode)))
    assert finding.detail.startswith(f"{mode}: ")
    assert finding.exclude == ()


def test_no_rule_speaks_of_what_cannot_be_read() -> None:
    assert kinds_of("gone", "gone too") == ["corrupt", "corrupt"]
