"""The bins of a reliability diagram."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.metrics.calibration import expected_calibration_error
from dlcli.metrics.intervals import wilson_interval
from dlcli.metrics.reliability import reliability_bins


def test_by_hand() -> None:
    """Two answers between 3/5 and 2/3, one of them right, and a sure one that is right."""
    probabilities = np.array([[0.62, 0.38], [0.36, 0.64], [0.0, 1.0]])
    first, last = reliability_bins(probabilities, np.array([0, 0, 1]))
    assert (first.low, first.high) == (9 / 15, 10 / 15)
    assert (first.num_images, first.accuracy) == (2, 0.5)
    assert first.confidence == pytest.approx(0.63)
    assert first.accuracy_interval == wilson_interval(1, 2)
    assert (last.low, last.high, last.num_images, last.accuracy) == (14 / 15, 1.0, 1, 1.0)


def test_no_pictures() -> None:
    assert reliability_bins(np.zeros((0, 3)), np.zeros(0, np.int64)) == ()


@pytest.mark.parametrize("seed", range(20))
def test_their_gaps_are_the_calibration_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(4, 0.4), 200).astype(np.float32)
    labels = rng.integers(0, 4, 200)
    bins = reliability_bins(probabilities, labels)
    assert sum(one.num_images for one in bins) == 200
    gaps = sum(abs(one.accuracy - one.confidence) * one.num_images for one in bins) / 200
    assert gaps == pytest.approx(expected_calibration_error(probabilities, labels))
    assert all(one.low <= one.confidence <= one.high + 1e-9 for one in bins)
