"""Sets of classes that hold the true one with a stated probability: split conformal prediction
(Vovk 2005; Angelopoulos and Bates 2021), fitted on val.

The promise is kept on average over pictures that come from where val came from, and over the
choice of val: not for each class, and not for pictures of another kind.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcli.metrics.intervals import wilson_interval
from dlcli.metrics.val_answers import ValAnswers


@dataclass(frozen=True)
class SetCoverage:
    """How the sets that are to hold the true class in the share `asked` (0-1) do: in `num_covered`
    of `num_images`, with the 95 % interval of that share. Sets hold the classes of probability
    `least_probability` or more and always the top one; `mean_size` and `largest` count classes."""

    asked: float
    least_probability: float
    num_images: int
    num_covered: int
    coverage: float | None
    coverage_interval: tuple[float, float] | None
    mean_size: float | None
    largest: int


def least_probability(val: ValAnswers, coverage: float) -> float:
    """The probability (0-1) from which on a class belongs to the set of a picture, so that sets
    hold the true class with probability `coverage` (0-1). 0, and with it every class, where val
    has too few pictures for that: below `coverage / (1 - coverage)`.
    """
    num_images = len(val.true_probabilities)
    rank = math.ceil((num_images + 1) * coverage - 1e-9)
    if rank > num_images:
        return 0.0
    return float(np.sort(val.true_probabilities)[num_images - rank])


def prediction_set(probabilities: NDArray[np.float32], least: float) -> NDArray[np.int64]:
    """The labels of the classes, of (K,), whose probability is `least` or more, the most probable
    first; the top class is always among them, so that no set is empty."""
    ranking = np.argsort(-probabilities, kind="stable")
    return ranking[: max(1, int((probabilities >= np.float32(least)).sum()))]


def check_sets(
    probabilities: NDArray[np.float32], labels: NDArray[np.integer], asked: float, least: float
) -> SetCoverage:
    """How the sets of `probabilities` (N, K) do on pictures with `labels` (N,)."""
    sets = [prediction_set(row, least) for row in probabilities]
    covered = sum(int(label in own) for own, label in zip(sets, labels, strict=True))
    sizes = [len(own) for own in sets]
    count = len(sets)
    return SetCoverage(
        asked,
        least,
        count,
        covered,
        covered / count if count else None,
        wilson_interval(covered, count),
        sum(sizes) / count if count else None,
        max(sizes, default=0),
    )
