"""Two classifiers on the same pictures."""

from __future__ import annotations

from dataclasses import replace
from math import comb

import numpy as np
import pytest

from dlcli.metrics.paired import ClassChange, Comparison, adjusted, compare_answers, mcnemar

NAMES = ["cat", "cat", "cat", "dog", "dog", "emu"]
RIGHT = np.array([True, True, False, True, True, False])
BASELINE = np.array([True, False, True, False, True, False])


def test_by_hand() -> None:
    assert compare_answers("new", "old", NAMES, RIGHT, BASELINE) == Comparison(
        run="new",
        baseline="old",
        num_images=6,
        accuracy=4 / 6,
        baseline_accuracy=3 / 6,
        difference=1 / 6,
        both_right=2,
        only_run_right=2,
        only_baseline_right=1,
        both_wrong=1,
        p_value=1.0,
        p_value_adjusted=1.0,
        classes=(
            ClassChange("cat", 3, 1, 1),
            ClassChange("dog", 2, 1, 0),
            ClassChange("emu", 1, 0, 0),
        ),
    )


def test_the_other_way_round_gains_are_losses() -> None:
    there = compare_answers("a", "b", NAMES, RIGHT, BASELINE)
    back = compare_answers("b", "a", NAMES, BASELINE, RIGHT)
    assert back.difference == -there.difference
    assert back.p_value == there.p_value
    assert [(one.gained, one.lost) for one in back.classes] == [
        (one.lost, one.gained) for one in there.classes
    ]


@pytest.mark.parametrize(
    ("one", "other", "p_value"),
    [
        (0, 0, 1.0),
        (3, 3, 1.0),
        (0, 5, 2 / 2**5),
        (1, 9, 2 * (1 + 10) / 2**10),
        (2, 10, 2 * (1 + 12 + 66) / 2**12),
        (25, 5, 2 * sum(comb(30, k) for k in range(6)) / 2**30),
    ],
)
def test_mcnemar_by_hand(one: int, other: int, p_value: float) -> None:
    assert mcnemar(one, other) == pytest.approx(p_value)
    assert mcnemar(other, one) == pytest.approx(p_value)


def test_equally_good_classifiers_seldom_look_different() -> None:
    rng = np.random.default_rng(0)
    found = [mcnemar(gained, 12 - gained) for gained in rng.binomial(12, 0.5, 2000).tolist()]
    assert np.mean([p_value < 0.05 for p_value in found]) <= 0.05


def test_p_values_are_corrected_for_each_other_by_hand() -> None:
    """Holm 1979: 0.01 * 3, 0.02 * 2, 0.03 * 1, of which none may be less than the one before."""
    one = compare_answers("a", "b", NAMES, RIGHT, BASELINE)
    given = [replace(one, p_value=p_value) for p_value in (0.03, 0.01, 0.02)]
    found = [comparison.p_value_adjusted for comparison in adjusted(given)]
    assert found == pytest.approx([0.04, 0.03, 0.04])
    assert [comparison.p_value for comparison in adjusted(given)] == [0.03, 0.01, 0.02]
    given = [replace(one, p_value=p_value) for p_value in (0.6, 0.7)]
    assert [comparison.p_value_adjusted for comparison in adjusted(given)] == [1.0, 1.0]


def test_one_comparison_needs_no_correction() -> None:
    one = compare_answers("a", "b", NAMES, RIGHT, ~RIGHT)
    assert adjusted([one]) == (one,)
    assert adjusted([]) == ()


def test_nothing_cannot_be_compared() -> None:
    nothing = np.zeros(0, bool)
    with pytest.raises(ValueError, match="nothing to compare"):
        compare_answers("a", "b", [], nothing, nothing)
