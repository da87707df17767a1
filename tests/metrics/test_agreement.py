"""Val against test."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.metrics.agreement import agreement_of, difference_interval
from dlcli.metrics.report import Report, make_report


def report_of(correct: int, total: int) -> Report:
    """The report on `total` pictures of which `correct` were answered right."""
    labels = np.zeros(total, np.int64)
    guesses = np.array([0] * correct + [1] * (total - correct), np.int64)
    return make_report(np.eye(2)[guesses] * 0.8 + 0.1, labels, ["cat", "dog"])


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((10, 10), (0, 20), 0.6791, 1.0),
    ],
)
def test_the_intervals_of_newcombe_s_paper(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    """Newcombe 1998, table II, method 10."""
    assert difference_interval(one, other) == pytest.approx((low, high), abs=5e-5)
    assert difference_interval(other, one) == pytest.approx((-high, -low), abs=5e-5)


def test_nothing_has_no_interval() -> None:
    with pytest.raises(ValueError, match="share of nothing"):
        difference_interval((0, 0), (3, 4))


@pytest.mark.parametrize(
    ("val", "test", "flattered"),
    [
        ((110, 112), (100, 113), True),
        ((100, 113), (110, 112), False),  # test is better: val has not flattered
        ((110, 112), (109, 113), False),
        ((10, 10), (7, 10), False),  # too few to tell
        ((1000, 1000), (970, 1000), True),
        ((50, 50), (50, 50), False),
    ],
)
def test_val_flatters_where_chance_does_not_explain_it(
    val: tuple[int, int], test: tuple[int, int], flattered: bool
) -> None:
    found = agreement_of(report_of(*val), report_of(*test))
    assert found is not None
    assert found.val_flattered is flattered
    assert found.difference == pytest.approx(val[0] / val[1] - test[0] / test[1])
    low, high = found.difference_interval
    assert low <= found.difference <= high


def test_chance_alone_seldom_looks_like_flattery() -> None:
    """Both parts have the same true accuracy: at most 2.5 % may be called flattered."""
    rng = np.random.default_rng(0)
    vals, tests = rng.binomial(112, 0.93, 4000), rng.binomial(113, 0.93, 4000)
    pairs = zip(vals.tolist(), tests.tolist(), strict=True)
    lows = [difference_interval((val, 112), (test, 113))[0] for val, test in pairs]
    assert 0.01 < np.mean([low > 0 for low in lows]) < 0.035


def test_without_pictures_there_is_nothing_to_compare() -> None:
    assert agreement_of(report_of(0, 0), report_of(3, 4)) is None
    assert agreement_of(report_of(3, 4), report_of(0, 0)) is None
