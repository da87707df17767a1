"""The interval of a share."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlcli.metrics.intervals import wilson_interval

cases = st.integers(1, 10_000).flatmap(
    lambda trials: st.tuples(st.integers(0, trials), st.just(trials))
)
properties = settings(derandomize=True, deadline=None, database=None, max_examples=200)


def interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    found = wilson_interval(successes, trials, confidence)
    assert found is not None
    return found


def test_no_trials_have_no_interval() -> None:
    assert wilson_interval(0, 0) is None


def test_eight_of_ten_by_the_book() -> None:
    assert interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=5e-5)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize(
    ("successes", "trials"),
    [(0, 1), (1, 1), (0, 30), (30, 30), (1, 30), (29, 30), (137, 150), (4_999, 10_000)],
)
def test_scipy_gives_the_same_interval(successes: int, trials: int, confidence: float) -> None:
    from scipy.stats import binomtest

    expected = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    found = interval(successes, trials, confidence)
    assert found == pytest.approx((expected.low, expected.high), abs=1e-12)


@properties
@given(case=cases)
def test_it_holds_the_share_and_lies_in_0_to_1(case: tuple[int, int]) -> None:
    successes, trials = case
    low, high = interval(successes, trials)
    assert 0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1
    assert low < high


@properties
@given(case=cases)
def test_failures_mirror_successes(case: tuple[int, int]) -> None:
    successes, trials = case
    low, high = interval(successes, trials)
    assert interval(trials - successes, trials) == pytest.approx((1 - high, 1 - low), abs=1e-9)


@properties
@given(case=cases)
def test_more_pictures_narrow_it_and_more_confidence_widens_it(case: tuple[int, int]) -> None:
    successes, trials = case

    def width(*more: float) -> float:
        low, high = interval(int(more[0]), int(more[1]), *more[2:])
        return high - low

    assert width(4 * successes, 4 * trials) < width(successes, trials)
    assert width(successes, trials, 0.99) > width(successes, trials, 0.9)
