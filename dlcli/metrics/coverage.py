"""How much better a classifier is where it is sure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

COVERAGES = (0.5, 0.8, 0.9, 0.95, 1.0)


@dataclass(frozen=True)
class CoveragePoint:
    """The accuracy among the answers whose probability is `threshold` or more. These are the surest
    `coverage` of all answers, and those that are as sure as the last of them: `num_images`."""

    coverage: float
    threshold: float
    num_images: int
    accuracy: float


def risk_coverage(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer]
) -> tuple[CoveragePoint, ...]:
    """The accuracy among the surest answers (El-Yaniv and Wiener 2010) at each of `COVERAGES`.

    `probabilities` (N, K), `labels` (N,); empty for no pictures. How sure an answer is, is the
    probability of its class; ties are never cut, so that the order of pictures does not matter.
    """
    if not len(labels):
        return ()
    sureness = probabilities.max(axis=1)
    is_right = probabilities.argmax(axis=1) == labels
    descending = np.sort(sureness)[::-1]
    points = []
    for coverage in COVERAGES:
        least = descending[math.ceil(coverage * len(labels)) - 1]
        among = is_right[sureness >= least]
        points.append(CoveragePoint(coverage, float(least), len(among), float(among.mean())))
    return tuple(points)
