"""Whether the accuracy on val, which chose the model, says the same as the one on test."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlcli.metrics.intervals import wilson_interval

if TYPE_CHECKING:
    from dlcli.metrics.report import Report


@dataclass(frozen=True)
class Agreement:
    """The accuracy on val less that on test, in -1 to 1, with its 95 % interval. `val_flattered`
    says that the whole interval lies above 0: chance alone does not explain the difference."""

    val_accuracy: float
    test_accuracy: float
    difference: float
    difference_interval: tuple[float, float]
    val_flattered: bool


def agreement_of(val: Report, test: Report) -> Agreement | None:
    """How the two accuracies compare; None where one of them has no pictures."""
    if val.accuracy is None or test.accuracy is None:
        return None
    interval = difference_interval(
        (val.num_correct, val.num_images), (test.num_correct, test.num_images)
    )
    return Agreement(
        val.accuracy, test.accuracy, val.accuracy - test.accuracy, interval, interval[0] > 0
    )


def difference_interval(
    one: tuple[int, int], other: tuple[int, int], confidence: float = 0.95
) -> tuple[float, float]:
    """The interval of the difference of two independent shares, `one` less `other`, each given as
    (successes, trials): (low, high) in -1 to 1.

    Newcombe's hybrid score interval (1998, method 10), made of the two Wilson intervals: it holds
    where a share is 0 or 1, where the usual normal test breaks down.

    Raises:
        ValueError: if there are no trials.
    """
    interval = wilson_interval(*one, confidence)
    other_interval = wilson_interval(*other, confidence)
    if interval is None or other_interval is None:
        raise ValueError("a share of nothing has no interval")
    (low, high), (other_low, other_high) = interval, other_interval
    share, other_share = one[0] / one[1], other[0] / other[1]
    return (
        share - other_share - math.hypot(share - low, other_high - other_share),
        share - other_share + math.hypot(high - share, other_share - other_low),
    )
