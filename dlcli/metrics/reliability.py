"""How often answers of each confidence are right: what a reliability diagram shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcli.metrics.calibration import NUM_BINS
from dlcli.metrics.intervals import wilson_interval


@dataclass(frozen=True)
class ReliabilityBin:
    """The answers with a confidence in `low`-`high`: their mean confidence, the share of them that
    is right, and its 95 % interval; all in 0-1."""

    low: float
    high: float
    num_images: int
    confidence: float
    accuracy: float
    accuracy_interval: tuple[float, float]


def reliability_bins(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer]
) -> tuple[ReliabilityBin, ...]:
    """The bins of the expected calibration error that hold an answer, from the least confidence on
    (Niculescu-Mizil and Caruana 2005). `probabilities` (N, K), `labels` (N,)."""
    if not len(labels):
        return ()
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    numbers = np.minimum((confidence * NUM_BINS).astype(int), NUM_BINS - 1)
    counts = np.bincount(numbers, minlength=NUM_BINS)
    hits = np.bincount(numbers[correct], minlength=NUM_BINS)
    sums = np.bincount(numbers, confidence, NUM_BINS)
    return tuple(
        ReliabilityBin(
            number / NUM_BINS,
            (number + 1) / NUM_BINS,
            int(counts[number]),
            float(sums[number] / counts[number]),
            float(hits[number] / counts[number]),
            wilson_interval(int(hits[number]), int(counts[number])) or (0.0, 1.0),
        )
        for number in np.flatnonzero(counts).tolist()
    )
