"""A row of numbers in one line of text."""

from __future__ import annotations

import pytest

from dlcli.ui.sparkline import BLOCKS, PLAIN, sparkline


def test_the_smallest_is_lowest_and_the_largest_highest() -> None:
    assert sparkline([0.8, 0.1, 0.4], 8) == "█▁▄"


def test_every_level_is_reached() -> None:
    assert sparkline(range(8), 8) == BLOCKS
    assert sparkline(range(8), 8, PLAIN) == PLAIN


@pytest.mark.parametrize("values", [[0.5], [2.0, 2.0, 2.0]])
def test_what_neither_rises_nor_falls_stands_in_the_middle(values: list[float]) -> None:
    assert sparkline(values, 8) == BLOCKS[3] * len(values)


def test_many_values_are_drawn_together_by_their_means() -> None:
    assert sparkline([0, 0, 0, 4, 4, 4, 10, 10], 4) == sparkline([0, 2, 4, 10], 4)
    assert sparkline([1.0] * 30 + [9.0] * 30, 6) == "▁▁▁███"


def test_of_nothing_nothing_is_shown() -> None:
    assert sparkline([], 8) == ""
    assert sparkline([1.0, 2.0], 0) == ""


def test_plain_levels_are_ascii() -> None:
    assert len(PLAIN) == len(BLOCKS)
    assert PLAIN.isascii()
