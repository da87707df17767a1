"""Accuracy among the surest answers."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.metrics.coverage import COVERAGES, CoveragePoint, risk_coverage
from tests.metrics.test_classification import random_case


def two_classes(sureness: list[float]) -> np.ndarray:
    """Probabilities (N, 2) that all name the first class."""
    return np.stack([sureness, 1 - np.array(sureness)], axis=1)


def test_by_hand() -> None:
    sureness = [0.99, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55]
    labels = np.array([0, 0, 0, 0, 0, 0, 1, 0, 1, 1])
    assert risk_coverage(two_classes(sureness), labels) == (
        CoveragePoint(0.5, 0.8, 5, 1.0),
        CoveragePoint(0.8, 0.65, 8, 7 / 8),
        CoveragePoint(0.9, 0.6, 9, 7 / 9),
        CoveragePoint(0.95, 0.55, 10, 0.7),
        CoveragePoint(1.0, 0.55, 10, 0.7),
    )


def test_answers_that_are_as_sure_are_taken_together() -> None:
    labels = np.array([0, 1, 1, 0])
    first, *_, last = risk_coverage(two_classes([0.9, 0.7, 0.7, 0.7]), labels)
    assert first == CoveragePoint(0.5, 0.7, 4, 0.5)
    assert last == CoveragePoint(1.0, 0.7, 4, 0.5)


def test_nothing_has_no_points() -> None:
    assert risk_coverage(np.zeros((0, 3)), np.zeros(0, np.int64)) == ()


def test_of_random_cases_all_answers_are_the_accuracy_and_no_order_matters() -> None:
    rng = np.random.default_rng(0)
    for seed in range(50):
        probabilities, labels = random_case(seed)
        probabilities = probabilities.round(1)  # many ties
        points = risk_coverage(probabilities, labels)
        assert [point.coverage for point in points] == list(COVERAGES)
        accuracy = (probabilities.argmax(axis=1) == labels).mean()
        assert points[-1].accuracy == pytest.approx(accuracy)
        assert points[-1].num_images == len(labels)
        assert all(point.num_images >= point.coverage * len(labels) for point in points)
        order = rng.permutation(len(labels))
        assert risk_coverage(probabilities[order], labels[order]) == points
