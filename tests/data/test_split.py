"""Pictures dealt to train, val and test."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dlcli.data.split import TEST, TRAIN, VAL, SplitFractions, split_groups
from dlcli.errors import DataError

properties = settings(derandomize=True, deadline=None, database=None, max_examples=150)

fractions = st.builds(
    SplitFractions, st.floats(0.02, 0.45), st.just(0.0) | st.floats(0.02, 0.45), st.integers(0, 9)
)
class_sizes = st.lists(st.integers(3, 60), min_size=1, max_size=5)
# The pictures in each group, of each class.
group_sizes = st.lists(
    st.lists(st.integers(1, 9), min_size=2, max_size=12), min_size=1, max_size=4
)  # fmt: skip


def singles(sizes: list[int]) -> tuple[list[int], list[str]]:
    """Labels and groups of pictures none like another."""
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    return labels, [f"picture {row}" for row in range(len(labels))]


def grouped(sizes: list[list[int]]) -> tuple[list[int], list[str]]:
    """Labels and groups of pictures that share groups."""
    labels, groups = [], []
    for label, own in enumerate(sizes):
        for number, size in enumerate(own):
            labels += [label] * size
            groups += [f"group {label}-{number}"] * size
    return labels, groups


def deal(labels: list[int], groups: list[str], shares: SplitFractions) -> list[str]:
    names = [f"class {label}" for label in range(max(labels) + 1)]
    return split_groups(labels, groups, shares, names)


def asked_for(shares: SplitFractions) -> set[str]:
    return {TRAIN, VAL, TEST} if shares.test else {TRAIN, VAL}


@properties
@given(sizes=class_sizes, shares=fractions)
@example(sizes=[4, 30], shares=SplitFractions(0.45, 0.45))
def test_each_class_is_within_one_picture_of_its_shares(
    sizes: list[int], shares: SplitFractions
) -> None:
    labels, groups = singles(sizes)
    splits = deal(labels, groups, shares)
    assert len(splits) == len(labels)
    assert set(splits) == asked_for(shares)
    for label, size in enumerate(sizes):
        counts = Counter(split for split, own in zip(splits, labels, strict=True) if own == label)
        assert counts[TRAIN] >= 1
        for split, share in ((VAL, shares.val), (TEST, shares.test)):
            assert abs(counts[split] - size * share) <= 1


@properties
@given(sizes=group_sizes, shares=fractions)
@example(sizes=[[1, 1, 8], [5, 5]], shares=SplitFractions())
@example(sizes=[[1, 9, 9]], shares=SplitFractions(0.4, 0.02))
def test_groups_stay_whole_and_reach_every_split(
    sizes: list[list[int]], shares: SplitFractions
) -> None:
    labels, groups = grouped(sizes)
    splits = deal(labels, groups, shares)
    split_of = dict(zip(groups, splits, strict=True))
    assert [split_of[group] for group in groups] == splits
    for label, own in enumerate(sizes):
        reached = {split_of[f"group {label}-{number}"] for number in range(len(own))}
        assert reached == ({TRAIN, VAL} if len(own) == 2 else asked_for(shares))


@properties
@given(sizes=group_sizes, shares=fractions, order=st.randoms(use_true_random=False))
def test_the_deal_depends_on_the_seed_and_the_groups_alone(
    sizes: list[list[int]], shares: SplitFractions, order: Random
) -> None:
    labels, groups = grouped(sizes)
    first = dict(zip(groups, deal(labels, groups, shares), strict=True))
    rows = list(range(len(labels)))
    order.shuffle(rows)
    mixed = [groups[row] for row in rows]
    again = deal([labels[row] for row in rows], mixed, shares)
    assert dict(zip(mixed, again, strict=True)) == first


def test_three_groups_of_which_two_are_small_reach_every_split() -> None:
    labels, groups = grouped([[1, 1, 8]])
    assert set(deal(labels, groups, SplitFractions())) == {TRAIN, VAL, TEST}


def test_large_shares_leave_something_for_training() -> None:
    labels, groups = singles([3])
    assert sorted(deal(labels, groups, SplitFractions(0.5, 0.4))) == [TEST, TRAIN, VAL]


def test_two_pictures_go_to_train_and_val() -> None:
    assert sorted(deal([0, 0], ["a", "b"], SplitFractions())) == [TRAIN, VAL]


def test_shares_are_met_over_all_classes_too() -> None:
    labels, groups = singles([10] * 20)
    counts = Counter(deal(labels, groups, SplitFractions(0.15, 0.15)))
    assert counts == {TRAIN: 140, VAL: 30, TEST: 30}


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["a", "a", "a", "b", "c"], r"to check with: lion\. Add pictures \(the class needs"),
        (["a", "a", "a", "b", "b"], r"to check with: lion, tiger\. Add pictures \(each class"),
    ],
)
def test_a_class_of_one_group_is_refused_by_name(groups: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        split_groups([0, 0, 0, 1, 1], groups, SplitFractions(), ["lion", "tiger"])


def test_a_class_without_pictures_is_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"to check with: tiger\."):
        split_groups([0, 0, 0], ["a", "b", "c"], SplitFractions(), ["lion", "tiger"])


def test_another_seed_gives_another_split() -> None:
    labels, groups = singles([50, 50])
    dealt = {tuple(deal(labels, groups, SplitFractions(seed=seed))) for seed in range(10)}
    assert len(dealt) == 10


@pytest.mark.parametrize("seed", range(20))
def test_one_more_picture_moves_few_others(seed: int) -> None:
    labels, groups = singles([100])
    shares = SplitFractions(seed=seed)
    before = deal(labels, groups, shares)
    after = deal([*labels, 0], [*groups, "one more"], shares)
    moved = sum(old != new for old, new in zip(before, after[:-1], strict=True))
    assert moved <= 4


def test_a_group_under_two_labels_stays_together() -> None:
    labels = [0] * 20 + [1] * 20
    groups = [f"picture {row}" for row in range(40)]
    groups[3] = groups[25] = "the same picture"
    for seed in range(20):
        splits = deal(labels, groups, SplitFractions(seed=seed))
        assert splits[3] == splits[25]


def test_groups_with_names_that_are_not_utf_8_are_dealt() -> None:
    splits = deal([0, 0, 0], ["caf\udce9", "b", "c"], SplitFractions())
    assert set(splits) == {TRAIN, VAL, TEST}
