"""Two classifiers on the same pictures, and whether one is really better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class ClassChange:
    """A class of `support` pictures: how many are answered right that were wrong before, and the
    other way round."""

    name: str
    support: int
    gained: int
    lost: int


@dataclass(frozen=True)
class Comparison:
    """What one run answers right beside another, the baseline, on the same pictures.

    `difference` is the accuracy less that of the baseline. `p_value` is McNemar's: how often chance
    alone would part two equally good classifiers, which disagree this often, at least as far;
    `p_value_adjusted` is the same, corrected for the number of runs that are compared. `classes`
    are those with pictures.
    """

    run: str
    baseline: str
    num_images: int
    accuracy: float
    baseline_accuracy: float
    difference: float
    both_right: int
    only_run_right: int
    only_baseline_right: int
    both_wrong: int
    p_value: float
    p_value_adjusted: float
    classes: tuple[ClassChange, ...]


def compare_answers(
    run: str, baseline: str, names: Sequence[str], right: Flags, baseline_right: Flags
) -> Comparison:
    """Compares answers on pictures whose classes are `names`: bool (N,), whether each is right.

    Raises:
        ValueError: for no pictures.
    """
    total = len(names)
    if not total:
        raise ValueError("there is nothing to compare")
    gained, lost = right & ~baseline_right, baseline_right & ~right
    num_gained, num_lost = int(gained.sum()), int(lost.sum())
    p_value = mcnemar(num_gained, num_lost)
    return Comparison(
        run=run,
        baseline=baseline,
        num_images=total,
        accuracy=int(right.sum()) / total,
        baseline_accuracy=int(baseline_right.sum()) / total,
        difference=(num_gained - num_lost) / total,
        both_right=int((right & baseline_right).sum()),
        only_run_right=num_gained,
        only_baseline_right=num_lost,
        both_wrong=int((~right & ~baseline_right).sum()),
        p_value=p_value,
        p_value_adjusted=p_value,
        classes=_changes(names, gained, lost),
    )


def mcnemar(one: int, other: int) -> float:
    """McNemar's exact test (1947): the two-sided p-value of `one` and `other` disagreements, as
    tosses of a fair coin; 1 where there are none."""
    from scipy.stats import binomtest

    if not one + other:
        return 1.0
    return float(binomtest(one, one + other, 0.5).pvalue)


def adjusted(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """The same with their p-values corrected for each other (Holm 1979): of many equally good runs
    one would soon look better by chance."""
    most, found = 0.0, list(comparisons)
    order = sorted(range(len(found)), key=lambda number: found[number].p_value)
    for rank, number in enumerate(order):
        most = max(most, min(1.0, (len(found) - rank) * found[number].p_value))
        found[number] = replace(found[number], p_value_adjusted=most)
    return tuple(found)


def _changes(names: Sequence[str], gained: Flags, lost: Flags) -> tuple[ClassChange, ...]:
    own = np.array(names, dtype=object)
    return tuple(
        ClassChange(
            name,
            int((own == name).sum()),
            int(gained[own == name].sum()),
            int(lost[own == name].sum()),
        )
        for name in sorted(set(names))
    )
