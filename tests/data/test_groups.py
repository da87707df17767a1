"""Rows that belong together."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.data.groups import NO_LINKS, connected, links_of_equals, members

properties = settings(derandomize=True, deadline=None, database=None, max_examples=60)


def test_without_links_each_row_stands_alone() -> None:
    assert connected(4, NO_LINKS).tolist() == [0, 1, 2, 3]
    assert connected(0, NO_LINKS).tolist() == []


def test_a_chain_is_one_group_and_numbers_follow_the_rows() -> None:
    links = np.array([[4, 2], [2, 5], [1, 3]])
    assert connected(7, links).tolist() == [0, 1, 2, 1, 2, 2, 3]


@properties
@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30))
def test_linked_rows_share_a_group_and_no_others_do(pairs: list[tuple[int, int]]) -> None:
    numbers = connected(20, np.array(pairs, np.int64).reshape(-1, 2)).tolist()
    expected = [{row} for row in range(20)]
    for one, other in pairs:
        merged = expected[one] | expected[other]
        for row in merged:
            expected[row] = merged
    for row in range(20):
        assert {other for other in range(20) if numbers[other] == numbers[row]} == expected[row]
    assert list(dict.fromkeys(numbers)) == list(range(max(numbers) + 1))


def test_equal_keys_are_linked_and_none_is_like_no_other() -> None:
    assert links_of_equals(["a", None, "b", "a", None, "a"]).tolist() == [[0, 3], [0, 5]]
    assert links_of_equals([]).shape == (0, 2)


def test_members_lists_groups_of_two_or_more() -> None:
    assert members([0, 1, 0, 2, 1, 0]) == [[0, 2, 5], [1, 4]]
    assert members([]) == []
