"""Groups dealt to parts 0, 1 and 2 (train, val and test): in order, mended, refined."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.data.deal import GroupTable, Integers, deal, deal_while_they_fit, tabulate

EVERYWHERE = [True, True, True]


def table_of(*groups: dict[int, int]) -> GroupTable:
    """Groups in the order of the deal, each with its number of pictures of each label."""
    rows = [
        (number, label)
        for number, group in enumerate(groups)
        for label, size in group.items()
        for _ in range(size)
    ]
    owners, labels = np.array(rows, np.int64).T
    return tabulate(owners, labels, int(labels.max()) + 1)


def quotas_of(*by_label: tuple[int, int, int]) -> Integers:
    return np.array(by_label, np.int64).T


def needs_of(*by_label: list[bool]) -> np.ndarray:
    return np.array(by_label, np.bool_).T


def held(table: GroupTable, parts: Integers) -> list[list[int]]:
    """How many pictures of each label train, val and test hold."""
    counts = np.zeros((3, int(table.labels.max()) + 1), np.int64)
    np.add.at(counts, (parts[table.owners], table.labels), table.sizes)
    listed: list[list[int]] = counts.tolist()
    return listed


def test_a_table_counts_the_pictures_of_each_label_in_each_group() -> None:
    groups = np.array([1, 0, 1, 2, 1, 1])
    labels = np.array([4, 4, 0, 2, 4, 2])
    table = tabulate(groups, labels, 5)
    assert table.owners.tolist() == [0, 1, 1, 1, 2]
    assert table.labels.tolist() == [4, 0, 2, 4, 2]
    assert table.sizes.tolist() == [1, 1, 1, 2, 1]
    assert table.firsts.tolist() == [0, 1, 4]
    assert table.num_rows().tolist() == [1, 3, 1]


def test_the_first_groups_that_fit_go_to_test_then_to_val() -> None:
    table = table_of({0: 3}, {0: 2}, {0: 2}, {0: 1}, {0: 1}, {0: 1}, {0: 9})
    quotas = quotas_of((13, 3, 3))
    assert deal_while_they_fit(table, quotas).tolist() == [2, 1, 0, 1, 0, 0, 0]


def test_a_group_fits_only_where_there_is_room_for_all_its_labels() -> None:
    table = table_of({0: 1, 1: 2}, {0: 1}, {1: 1}, {0: 1, 1: 1}, {0: 4, 1: 4})
    quotas = quotas_of((4, 1, 2), (5, 2, 1))
    assert deal_while_they_fit(table, quotas).tolist() == [1, 2, 2, 0, 0]


def test_a_little_too_much_is_better_than_much_too_little() -> None:
    # Within the quotas there is room for one group of 10 in test and in val: 7 too few each.
    table = table_of(*[{0: 10}] * 10)
    parts = deal(table, quotas_of((66, 17, 17)), needs_of(EVERYWHERE))
    assert held(table, parts) == [[60], [20], [20]]


def test_two_groups_change_places_where_one_move_would_not_help() -> None:
    # 3 fits into the 4 that test should get, and a 5th picture would make it no better.
    table = table_of({0: 3}, {0: 8}, {0: 4}, {0: 8})
    quotas, needs = quotas_of((19, 0, 4)), needs_of([True, False, True])
    assert held(table, deal_while_they_fit(table, quotas)) == [[20], [0], [3]]
    assert held(table, deal(table, quotas, needs)) == [[19], [0], [4]]


def test_the_last_group_of_a_label_may_change_places_with_another() -> None:
    table = table_of({0: 3, 1: 3}, {0: 4, 1: 4}, {0: 8, 1: 8})
    quotas = quotas_of((8, 4, 3), (8, 4, 3))
    worse = quotas_of((8, 3, 4), (8, 3, 4))
    needs = needs_of(EVERYWHERE, EVERYWHERE)
    assert deal(table, quotas, needs).tolist() == [2, 1, 0]
    assert deal(table, worse, needs).tolist() == [1, 2, 0]


def test_the_last_groups_of_a_label_change_places_also_where_others_are_many() -> None:
    # A move of label 1 alone costs more than a first move of label 0 (but for the need it leaves).
    table = table_of({0: 3}, {0: 4}, {0: 8}, *[{1: 10}] * 60)
    quotas = quotas_of((8, 3, 4), (590, 5, 5))
    parts = deal(table, quotas, needs_of(EVERYWHERE, EVERYWHERE))
    assert parts[:3].tolist() == [1, 2, 0]


def test_nothing_is_moved_to_a_part_that_was_not_asked_for() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        table = table_of(*[{0: int(size)} for size in rng.integers(5, 30, 12)])
        num_images = int(table.sizes.sum())
        val = num_images // 5
        parts = deal(table, quotas_of((num_images - val, val, 0)), needs_of([True, True, False]))
        assert set(parts.tolist()) == {0, 1}


def test_a_group_that_shares_no_label_with_others_is_dealt() -> None:
    table = table_of({0: 2}, {1: 5})
    parts = deal(table, quotas_of((1, 1, 0), (4, 1, 0)), needs_of(*[[True, True, False]] * 2))
    assert parts.tolist() == [0, 0]


def test_the_smallest_group_meets_a_need_that_no_quota_has_room_for() -> None:
    table = table_of({0: 9}, {0: 8}, {0: 3}, {0: 7})
    parts = deal(table, quotas_of((25, 1, 1)), needs_of(EVERYWHERE))
    assert parts[:2].tolist() == [0, 0]
    assert sorted(parts[2:].tolist()) == [1, 2]


def test_a_need_is_not_met_by_the_last_group_of_another_label() -> None:
    # Label 1 has two groups: one in train, the other in val. Label 0 has to find its own.
    table = table_of({0: 1, 1: 1}, {0: 1, 1: 1}, {0: 9})
    quotas = quotas_of((9, 1, 1), (1, 1, 0))
    parts = deal(table, quotas, needs_of(EVERYWHERE, [True, True, False]))
    assert parts[2] == 2
    assert sorted(parts[:2].tolist()) == [0, 1]


def chain(length: int) -> GroupTable:
    """Label i in groups i and i + 1 alone: they take turns, or a label misses a part."""
    return table_of({0: 1}, *[{i - 1: 1, i: 1} for i in range(1, length)], {length - 1: 1})


@pytest.mark.parametrize("length", [5, 12, 60])
def test_moves_that_follow_from_one_another_are_found(length: int) -> None:
    table = chain(length)
    needs = needs_of(*[[True, True, False]] * length)
    for seed in range(10):
        groups = np.random.default_rng(seed).permutation(length + 1)[table.owners]
        shuffled = tabulate(groups, table.labels, length)
        quotas = quotas_of(*[(1, 1, 0)] * length)
        assert held(shuffled, deal(shuffled, quotas, needs))[:2] == [[1] * length] * 2


def test_where_not_all_needs_can_be_met_train_is_first_and_val_as_good_as_can_be() -> None:
    # Three groups, each two of which are all there is of a label: two must share a part.
    table = table_of({0: 5, 1: 5}, {1: 5, 2: 5}, {0: 5, 2: 5})
    quotas, needs = quotas_of(*[(9, 1, 0)] * 3), needs_of(*[[True, True, False]] * 3)
    train, val, test = held(table, deal(table, quotas, needs))
    assert min(train) > 0
    assert sum(count > 0 for count in val) == 2
    assert test == [0, 0, 0]


def test_val_comes_before_test() -> None:
    # Of label 0 all groups hold label 1 too, which has two groups: train and val are all it gets.
    table = table_of({0: 2, 1: 2}, {0: 2, 1: 2}, {0: 2, 2: 2}, {2: 2})
    quotas = quotas_of((4, 1, 1), (3, 1, 0), (3, 1, 0))
    needs = needs_of(EVERYWHERE, [True, True, False], [True, True, False])
    train, val, test = held(table, deal(table, quotas, needs))
    assert min(train) > 0
    assert min(val) > 0
    assert test[0] == 0


def tangle(groups: np.ndarray) -> GroupTable:
    """Label i has one picture in each of the groups of row i."""
    _, numbers = np.unique(groups.ravel(), return_inverse=True)
    num_labels, num_groups = groups.shape
    return tabulate(numbers, np.repeat(np.arange(num_labels), num_groups), num_labels)


@pytest.mark.parametrize("num_groups", [60, 90])
@pytest.mark.parametrize("seed", range(5))
def test_a_tangle_of_needs_is_undone(num_groups: int, seed: int) -> None:
    # 30 labels of three groups each that hold other labels too; by thirds they can be dealt.
    rng = np.random.default_rng(seed)
    thirds = np.array_split(rng.permutation(num_groups), 3)
    table = tangle(np.array([[rng.choice(third) for third in thirds] for _ in range(30)]))
    parts = deal(table, quotas_of(*[(1, 1, 1)] * 30), needs_of(*[EVERYWHERE] * 30))
    assert held(table, parts) == [[1] * 30] * 3


@pytest.mark.parametrize(("num_labels", "num_groups", "num_parts"), [(100, 30, 2), (60, 80, 3)])
def test_a_hopeless_tangle_of_needs_comes_to_an_end(
    num_labels: int, num_groups: int, num_parts: int
) -> None:
    # Too few groups for each label to have its own in different parts, and many ways to try.
    rng = np.random.default_rng(0)
    table = tangle(np.array([rng.permutation(num_groups)[:num_parts] for _ in range(num_labels)]))
    is_asked = [part < num_parts for part in range(3)]
    quotas = quotas_of(*[(1, 1, num_parts - 2)] * num_labels)
    train, val, _ = held(table, deal(table, quotas, needs_of(*[is_asked] * num_labels)))
    assert min(train) > 0
    assert sum(count > 0 for count in val) >= 40
