"""Whether a probability means what it says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NUM_BINS = 15
_LEAST, _MOST = 0.05, 20.0


def expected_calibration_error(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer]
) -> float | None:
    """Mean gap between confidence and accuracy over 15 bins of equal width (Naeini 2015, Guo 2017).

    `probabilities` (N, K), `labels` (N,); in 0-1, None for no pictures.
    """
    if not len(labels):
        return None
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = (probabilities.argmax(axis=1) == labels).astype(np.float64)
    bins = np.minimum((confidence * NUM_BINS).astype(int), NUM_BINS - 1)
    gaps = np.bincount(bins, correct - confidence, NUM_BINS)
    return float(np.abs(gaps).sum() / len(labels))


def without_temperature(
    probabilities: NDArray[np.floating], temperature: float
) -> NDArray[np.float64]:
    """What `probabilities` (N, K) were before their logits were divided by `temperature` (> 0).

    The logits are their logarithms times the temperature, up to a constant a row. A probability
    that float32 has rounded to 0 stays 0.
    """
    with np.errstate(divide="ignore"):
        logits = np.log(probabilities.astype(np.float64)) * temperature
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
    shares: NDArray[np.float64] = exponents / exponents.sum(axis=1, keepdims=True)
    return shares


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The temperature that minimizes the log loss of `logits` (N, K) divided by it (Guo 2017).

    In 0.05-20; the log loss is convex in its inverse, so a bounded search finds the minimum.
    """
    from scipy.optimize import minimize_scalar

    exact = logits.astype(np.float64)
    right = exact[np.arange(len(labels)), labels]

    def mean_log_loss(inverse: float) -> float:
        scaled = exact * inverse
        highest = scaled.max(axis=1)
        normalizer = highest + np.log(np.exp(scaled - highest[:, None]).sum(axis=1))
        return float((normalizer - right * inverse).mean())

    found = minimize_scalar(mean_log_loss, bounds=(1 / _MOST, 1 / _LEAST), method="bounded")
    return float(1 / found.x)
