"""Pictures dealt to train, val and test."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from dlcli.data.split import (
    TEST,
    TRAIN,
    VAL,
    SplitFractions,
    extend_split,
    needed_parts,
    share_out,
    split_groups,
)
from dlcli.errors import DataError

PARTS = (TRAIN, VAL, TEST)
MOST_MOVED = 8

properties = settings(derandomize=True, deadline=None, database=None, max_examples=80)

fractions = st.builds(
    SplitFractions,
    st.floats(0.02, 0.45),
    st.just(0.0) | st.floats(0.02, 0.45),
    st.integers(0, 9),
)
class_sizes = st.lists(st.integers(3, 60), min_size=1, max_size=5)
# The pictures in each group, of each class.
group_sizes = st.lists(
    st.lists(st.integers(1, 9), min_size=2, max_size=12), min_size=1, max_size=4
)  # fmt: skip
# The pictures of each class, in each group.
spanning = st.integers(1, 4).flatmap(
    lambda classes: st.lists(
        st.lists(st.integers(0, 6), min_size=classes, max_size=classes).filter(any),
        min_size=2,
        max_size=14,
    ).filter(lambda table: all(sum(map(bool, column)) >= 2 for column in zip(*table, strict=True)))
)
shuffles = st.randoms(use_true_random=False)


def singles(sizes: list[int]) -> tuple[list[int], list[str]]:
    """Labels and groups of pictures none like another."""
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    return labels, [f"picture {row}" for row in range(len(labels))]


def grouped(sizes: list[list[int]]) -> tuple[list[int], list[str]]:
    """Labels and groups of pictures that share groups, each of one class."""
    labels, groups = [], []
    for label, own in enumerate(sizes):
        for number, size in enumerate(own):
            labels += [label] * size
            groups += [f"group {label}-{number}"] * size
    return labels, groups


def spread(table: list[list[int]]) -> tuple[list[int], list[str]]:
    """Labels and groups of pictures that share groups across classes."""
    labels, groups = [], []
    for number, sizes in enumerate(table):
        for label, size in enumerate(sizes):
            labels += [label] * size
            groups += [f"group {number}"] * size
    return labels, groups


def deal(labels: list[int], groups: list[str], shares: SplitFractions) -> list[str]:
    names = [f"class {label}" for label in range(max(labels) + 1)]
    return split_groups(labels, groups, shares, names)


def asked_for(shares: SplitFractions) -> set[str]:
    return {TRAIN, VAL, TEST} if shares.test else {TRAIN, VAL}


def counts_of(labels: list[int], splits: list[str]) -> np.ndarray:
    """How many pictures of each class each part holds, (3, L)."""
    counts = np.zeros((3, max(labels) + 1), np.int64)
    np.add.at(counts, ([PARTS.index(split) for split in splits], labels), 1)
    return counts


def by_hash(groups: list[str], seed: int) -> list[str]:
    """The groups in the order in which they are dealt."""
    return sorted(set(groups), key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())


# --- groups of one picture ---


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
    for label, (train, val, test) in enumerate(counts_of(labels, splits).T):
        assert train >= 1
        assert abs(val - sizes[label] * shares.val) <= 1
        assert abs(test - sizes[label] * shares.test) <= 1
        assert test > 0 or not shares.test


@properties
@given(
    sizes=st.lists(st.integers(20, 90), min_size=1, max_size=30),
    val=st.floats(0.05, 0.3),
    test=st.floats(0.05, 0.3),
)
def test_the_parts_are_of_the_size_asked_for(sizes: list[int], val: float, test: float) -> None:
    labels, groups = singles(sizes)
    counts = Counter(deal(labels, groups, SplitFractions(val, test)))
    assert abs(counts[VAL] - len(labels) * val) <= 0.5 + 1e-6
    assert abs(counts[TEST] - len(labels) * test) <= 0.5 + 1e-6


def test_shares_are_met_over_all_classes_too() -> None:
    labels, groups = singles([10] * 20)
    counts = Counter(deal(labels, groups, SplitFractions(0.15, 0.15)))
    assert counts == {TRAIN: 140, VAL: 30, TEST: 30}


def test_what_a_class_gives_to_test_is_spared_it_by_val() -> None:
    # 15 % of 9 is 1.35 for val and for test: 2 for both would leave 5 of 6.3 for train.
    labels, groups = singles([9] * 20)
    train, val, test = counts_of(labels, deal(labels, groups, SplitFractions(0.15, 0.15)))
    assert set(train) == {6, 7}
    assert sorted(val) == sorted(test) == [1] * 13 + [2] * 7


def test_small_classes_take_from_the_rounding_not_from_the_total() -> None:
    # Five classes of 4 must have 1 in test where their share is 0.4: fewer of the rest, whose share
    # is 1.9, get 2.
    labels, groups = singles([4] * 5 + [19] * 10)
    _, val, test = counts_of(labels, deal(labels, groups, SplitFractions(0.1, 0.1)))
    assert test.sum() == val.sum() == 21
    assert test[:5].tolist() == val[:5].tolist() == [1] * 5


@properties
@given(
    sizes=st.lists(st.integers(2, 40), min_size=1, max_size=6),
    val=st.floats(0.01, 0.95),
    test=st.floats(0.01, 0.95),
)
@example(sizes=[3], val=0.05, test=0.9)
@example(sizes=[3], val=0.9, test=0.05)
def test_quotas_leave_what_is_needed_to_each_part(
    sizes: list[int], val: float, test: float
) -> None:
    assume(val + test < 1)
    shares, num_images = SplitFractions(val, test), np.array(sizes)
    needs = needed_parts(num_images, shares)
    quotas = share_out(num_images, needs, shares)
    assert quotas.sum(axis=0).tolist() == sizes
    assert (quotas >= needs).all()


def test_classes_too_small_for_a_part_leave_the_quotas_of_others_alone() -> None:
    num_images = np.array([2] * 10 + [10])
    shares = SplitFractions(0.3, 0.3)
    train, val, test = share_out(num_images, needed_parts(num_images, shares), shares)
    assert train.tolist() == [1] * 10 + [4]
    assert val.tolist() == [1] * 10 + [3]
    assert test.tolist() == [0] * 10 + [3]


def test_which_parts_need_a_class_goes_by_its_groups() -> None:
    num_groups = np.array([2, 3, 9])
    everywhere, two = [True, True, True], [False, True, True]
    none = [False, False, False]
    for shares, needs in [
        (SplitFractions(0.1, 0.1), [everywhere, everywhere, two]),
        (SplitFractions(0.1, 0.0), [everywhere, everywhere, none]),
        (SplitFractions(0.0, 0.1), [everywhere, none, everywhere]),
    ]:
        assert needed_parts(num_groups, shares).tolist() == needs


def test_a_share_that_is_a_whole_number_is_met() -> None:
    # In floating point 0.29 * 100 is a little less than 29, and 0.07 * 100 a little more than 7.
    # What the small classes get beyond their share (0.87 of 3) must not come out of the 29.
    labels, groups = singles([100] + [3] * 10)
    _, val, test = counts_of(labels, deal(labels, groups, SplitFractions(0.29, 0.07)))
    assert val.tolist() == [29] + [1] * 10
    assert test.tolist() == [7] + [1] * 10


def test_pictures_are_dealt_in_the_order_of_their_hashes() -> None:
    labels, groups = singles([20])
    splits = dict(zip(groups, deal(labels, groups, SplitFractions(0.2, 0.1, 3)), strict=True))
    order = by_hash(groups, 3)
    assert [splits[group] for group in order] == [TEST] * 2 + [VAL] * 4 + [TRAIN] * 14


def test_another_seed_gives_another_split() -> None:
    labels, groups = singles([50, 50])
    dealt = {tuple(deal(labels, groups, SplitFractions(seed=seed))) for seed in range(10)}
    assert len(dealt) == 10


# --- groups of more, also of several classes ---


@properties
@given(table=spanning, shares=fractions)
def test_every_picture_is_in_one_split_and_every_group_too(
    table: list[list[int]], shares: SplitFractions
) -> None:
    labels, groups = spread(table)
    splits = deal(labels, groups, shares)
    assert len(splits) == len(labels)
    assert set(splits) <= asked_for(shares)
    assert len(set(zip(groups, splits, strict=True))) == len(set(groups))


@properties
@given(sizes=group_sizes, shares=fractions)
@example(sizes=[[1, 1, 8], [5, 5]], shares=SplitFractions())
@example(sizes=[[1, 9, 9]], shares=SplitFractions(0.4, 0.02))
def test_every_class_reaches_every_split(sizes: list[list[int]], shares: SplitFractions) -> None:
    labels, groups = grouped(sizes)
    split_of = dict(zip(groups, deal(labels, groups, shares), strict=True))
    for label, own in enumerate(sizes):
        reached = {split_of[f"group {label}-{number}"] for number in range(len(own))}
        assert reached == ({TRAIN, VAL} if len(own) == 2 else asked_for(shares))


@properties
@given(table=spanning, shares=fractions, order=shuffles)
def test_the_deal_depends_on_the_seed_and_the_groups_alone(
    table: list[list[int]], shares: SplitFractions, order: Random
) -> None:
    labels, groups = spread(table)
    first = dict(zip(groups, deal(labels, groups, shares), strict=True))
    rows = list(range(len(labels)))
    order.shuffle(rows)
    mixed = [groups[row] for row in rows]
    again = deal([labels[row] for row in rows], mixed, shares)
    assert dict(zip(mixed, again, strict=True)) == first


def missed_needs(
    table: list[list[int]], shares: SplitFractions, split_of: Callable[[int], str]
) -> list[int]:
    """How many classes are missing where they must be: in train, in val, in test."""
    missed = [0, 0, 0]
    for column in zip(*table, strict=True):
        own = [number for number, size in enumerate(column) if size]
        needed = {TRAIN, VAL} if len(own) == 2 else asked_for(shares)
        for split in needed - {split_of(number) for number in own}:
            missed[PARTS.index(split)] += 1
    return missed


@settings(properties, max_examples=160)
@given(
    table=spanning.filter(lambda table: len(table) <= 6),
    shares=st.sampled_from([SplitFractions(0.15, 0.15), SplitFractions(0.4, 0.3, 1)]),
)
def test_needs_are_met_wherever_that_is_possible(
    table: list[list[int]], shares: SplitFractions
) -> None:
    labels, groups = spread(table)
    split_of = dict(zip(groups, deal(labels, groups, shares), strict=True))
    missed = missed_needs(table, shares, lambda number: split_of[f"group {number}"])
    possible = [
        missed_needs(table, shares, parts.__getitem__)
        for parts in product(PARTS, repeat=len(table))
    ]
    assert missed == min(possible)


def plain_deal(
    labels: list[int], groups: list[str], quotas: np.ndarray, seed: int
) -> dict[str, str]:
    """Test, else val, takes each group that fits what is left of its quotas; train the rest."""
    left = {TEST: quotas[2].copy(), VAL: quotas[1].copy()}
    dealt = {}
    for name in by_hash(groups, seed):
        own = [label for label, group in zip(labels, groups, strict=True) if group == name]
        sizes = np.bincount(own, minlength=quotas.shape[1])
        dealt[name] = next((split for split in left if (sizes <= left[split]).all()), TRAIN)
        if dealt[name] != TRAIN:
            left[dealt[name]] -= sizes
    return dealt


@properties
@given(table=spanning, shares=fractions)
def test_the_deviation_is_never_worse_than_that_of_the_plain_deal(
    table: list[list[int]], shares: SplitFractions
) -> None:
    labels, groups = spread(table)
    needs = needed_parts(np.count_nonzero(table, axis=0), shares)
    quotas = share_out(np.sum(table, axis=0), needs, shares)
    plain = plain_deal(labels, groups, quotas, shares.seed)
    counts = counts_of(labels, [plain[group] for group in groups])
    assume(not (needs & (counts == 0)).any())
    refined = counts_of(labels, deal(labels, groups, shares))
    assert np.abs(refined - quotas).sum() <= np.abs(counts - quotas).sum()


@pytest.mark.parametrize(("num_classes", "most_off"), [(3, 0), (10, 10)])
@pytest.mark.parametrize("seed", [0, 1])
def test_refining_brings_many_groups_of_several_classes_near_their_shares(
    num_classes: int, most_off: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, num_classes, 2000).tolist()
    groups = [f"patient {number}" for number in rng.integers(0, 200, 2000)]
    shares = SplitFractions(0.2, 0.2)
    num_images = np.bincount(labels)
    quotas = share_out(num_images, needed_parts(num_images, shares), shares)
    deviation = np.abs(counts_of(labels, deal(labels, groups, shares)) - quotas).sum()
    assert deviation <= most_off


@pytest.mark.parametrize("seed", range(5))
def test_ten_patients_with_pictures_of_two_classes(seed: int) -> None:
    labels, groups = spread([[5, 5]] * 10)
    splits = deal(labels, groups, SplitFractions(0.2, 0.2, seed))
    patients = Counter(dict(zip(groups, splits, strict=True)).values())
    assert patients == {TRAIN: 6, VAL: 2, TEST: 2}
    assert counts_of(labels, splits).tolist() == [[30, 30], [10, 10], [10, 10]]


def test_a_group_too_large_for_any_quota_is_for_training() -> None:
    labels, groups = grouped([[50, *[1] * 50]])
    splits = dict(zip(groups, deal(labels, groups, SplitFractions(0.2, 0.2)), strict=True))
    assert splits["group 0-0"] == TRAIN
    assert Counter(splits.values()) == {TRAIN: 11, VAL: 20, TEST: 20}


def test_overshooting_a_little_is_better_than_missing_much() -> None:
    # 17 of 100 in groups of 10: 20 in both is 12 off over the three parts, 10 in one is 14 off.
    labels, groups = grouped([[10] * 10])
    counts = Counter(deal(labels, groups, SplitFractions(0.17, 0.17)))
    assert counts == {TRAIN: 60, VAL: 20, TEST: 20}


def test_a_group_under_two_labels_stays_together() -> None:
    labels = [0] * 20 + [1] * 20
    groups = [f"picture {row}" for row in range(40)]
    groups[3] = groups[25] = "the same picture"
    for seed in range(20):
        splits = deal(labels, groups, SplitFractions(seed=seed))
        assert splits[3] == splits[25]
        assert counts_of(labels, splits).tolist() == [[14, 14], [3, 3], [3, 3]]


# --- adding files ---


@settings(properties, max_examples=160)
@given(
    sizes=st.lists(st.integers(2, 60), min_size=1, max_size=12),
    shares=fractions,
    name=st.text(max_size=3),
)
def test_one_more_picture_moves_few_others(
    sizes: list[int], shares: SplitFractions, name: str
) -> None:
    labels, groups = singles(sizes)
    before = deal(labels, groups, shares)
    after = deal([*labels, 0], [*groups, name], shares)
    moved = sum(old != new for old, new in zip(before, after[:-1], strict=True))
    assert moved <= MOST_MOVED


@pytest.mark.parametrize("seed", range(10))
def test_however_many_there_are_one_more_moves_few(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 40, 6000).tolist()
    groups = [f"picture {row}" for row in range(6000)]
    shares = SplitFractions(seed=seed)
    before = deal(labels, groups, shares)
    after = deal([*labels, seed], [*groups, "one more"], shares)
    moved = sum(old != new for old, new in zip(before, after[:-1], strict=True))
    assert moved <= MOST_MOVED


known_pictures = st.lists(
    st.tuples(st.none() | st.sampled_from(PARTS), st.sampled_from("abcdefgh")), max_size=30
)


@properties
@given(pictures=known_pictures)
def test_an_added_picture_goes_to_train_or_where_its_group_is(
    pictures: list[tuple[str | None, str]],
) -> None:
    splits = extend_split([known for known, _ in pictures], [group for _, group in pictures])
    assert len(splits) == len(pictures)
    for (known, group), split in zip(pictures, splits, strict=True):
        its = {other for other, name in pictures if name == group and other}
        if known:
            assert split == known
        elif not its:
            assert split == TRAIN
        else:
            assert split == max(its, key=PARTS.index)


def test_added_pictures_by_hand() -> None:
    known = [TEST, VAL, TRAIN, None, None, None, None, None, TRAIN]
    groups = ["a", "b", "b", "a", "b", "new", "new", "c", "c"]
    assert extend_split(known, groups) == [
        *(TEST, VAL, TRAIN),
        *(TEST, VAL, TRAIN, TRAIN, TRAIN, TRAIN),
    ]


# --- small classes ---


def test_three_groups_of_which_two_are_small_reach_every_split() -> None:
    labels, groups = grouped([[1, 1, 8]])
    assert set(deal(labels, groups, SplitFractions())) == {TRAIN, VAL, TEST}


def test_large_shares_leave_something_for_training() -> None:
    labels, groups = singles([3])
    assert sorted(deal(labels, groups, SplitFractions(0.5, 0.4))) == [TEST, TRAIN, VAL]


def test_two_pictures_go_to_train_and_val() -> None:
    assert sorted(deal([0, 0], ["a", "b"], SplitFractions())) == [TRAIN, VAL]


def test_two_pictures_go_to_train_and_test_where_there_is_no_val() -> None:
    assert sorted(deal([0, 0], ["a", "b"], SplitFractions(0, 0.1))) == [TEST, TRAIN]
    assert sorted(deal([0] * 3, ["a", "b", "c"], SplitFractions(0, 0.1))) == [TEST, TRAIN, TRAIN]


def test_a_class_of_which_all_groups_hold_another_class_is_in_every_split_still() -> None:
    # Each dog lies in a group with cats; the cats have one group more.
    for seed in range(20):
        labels, groups = spread([[3, 1], [3, 1], [3, 1], [5, 0]])
        counts = counts_of(labels, deal(labels, groups, SplitFractions(seed=seed)))
        assert counts.min() >= 1


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["a", "b", "c", "d", "d"], r"to check with: tiger\. .*: all 2 pictures of tiger are one"),
        (
            ["a", "a", "a", "b", "c"],
            r"all 3 pictures of lion are one group\. Add .*the class needs",
        ),
        (
            ["a", "a", "a", "b", "b"],
            r"lion, tiger\. .*: all 3 pictures of lion are one group, all 2 pictures of tiger are "
            r"one group\. Add other pictures \(each class needs at least 2",
        ),
        (["a", "a", "a", "a", "b"], r"to check with: lion\. .*: all 3 pictures of lion are one"),
    ],
)
def test_a_class_of_one_group_is_refused_by_name(groups: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        split_groups([0, 0, 0, 1, 1], groups, SplitFractions(), ["lion", "tiger"])


def test_a_class_of_one_picture_or_none_is_refused_by_name() -> None:
    message = (
        r"^too few different pictures to learn from and to check with: tiger, wolf\. "
        r"Add other pictures \(each class needs at least 2, better 20\) or leave the class out\.$"
    )
    with pytest.raises(DataError, match=message):
        split_groups([0, 0, 1], ["a", "b", "c"], SplitFractions(), ["lion", "tiger", "wolf"])


def test_no_pictures_at_all_are_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"to check with: lion, tiger\."):
        split_groups([], [], SplitFractions(), ["lion", "tiger"])


def test_groups_with_names_that_are_not_utf_8_are_dealt() -> None:
    splits = deal([0, 0, 0], ["caf\udce9", "b", "c"], SplitFractions())
    assert set(splits) == {TRAIN, VAL, TEST}
