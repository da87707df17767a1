"""Counts over all pictures."""

from __future__ import annotations

from dlcli.data.full_census import Spread, take_full_census
from tests.data.inspected import facts, inspected


def test_by_hand() -> None:
    census = take_full_census(
        inspected(
            facts(0, height=100, width=200),
            facts(1, height=200, width=100, format="PNG"),
            facts(2, height=110, width=100, mode="L"),
            "unreadable",
            facts(3, height=40, width=5000, format="PNG"),
            facts(4, height=40, width=60, format="PNG"),
        )
    )
    assert list(census.formats.items()) == [("PNG", 3), ("JPEG", 2)]
    assert list(census.modes.items()) == [("RGB", 4), ("L", 1)]
    assert census.shapes == {"portrait": 1, "square": 1, "landscape": 3}
    assert list(census.shorter_sides.items()) == [("32 to 63", 2), ("64 to 127", 3)]
    assert census.heights == Spread(40, 100, 200)
    assert census.widths == Spread(60, 100, 5000)
    assert census.aspect_ratios == Spread(0.5, 1.5, 125)


def test_ranges_between_are_kept_though_empty() -> None:
    census = take_full_census(
        inspected(facts(0, height=31, width=31), facts(1, height=9000, width=4096), facts(2))
    )
    assert census.shorter_sides == {
        "under 32": 1,
        "32 to 63": 0,
        "64 to 127": 0,
        "128 to 255": 1,
        "256 to 511": 0,
        "512 to 1023": 0,
        "1024 to 2047": 0,
        "2048 to 4095": 0,
        "4096 and more": 1,
    }


def test_nothing_readable() -> None:
    census = take_full_census(inspected("damaged"))
    assert (census.formats, census.shapes, census.shorter_sides) == ({}, {}, {})
    assert census.heights is census.widths is census.aspect_ratios is None
