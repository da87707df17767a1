"""Sets that hold the true class as often as asked."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli.metrics.conformal import check_sets, least_probability, prediction_set
from dlcli.metrics.val_answers import ValAnswers, val_answers

ROW = np.array([0.1, 0.6, 0.25, 0.05], np.float32)


def val_of(true_probabilities: list[float]) -> ValAnswers:
    true = np.array(true_probabilities, np.float32)
    return ValAnswers(true, true, true > 0.5, true)


def drawn(rng: np.random.Generator, count: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Calibrated probabilities (N, 6) and labels drawn by them."""
    probabilities = rng.dirichlet(np.full(6, 0.4), count)
    labels = np.array([rng.choice(6, p=row) for row in probabilities])
    return probabilities.astype(np.float32), labels


def test_the_least_probability_by_hand() -> None:
    """Of 19 pictures the rank for 90 % is 18 of 20: the second smallest; for 95 % it is 19."""
    answers = val_of([number / 20 for number in range(1, 20)])
    assert least_probability(answers, 0.9) == pytest.approx(0.1)
    assert least_probability(answers, 0.95) == pytest.approx(0.05)
    assert least_probability(answers, 0.5) == pytest.approx(0.5)


@pytest.mark.parametrize(("coverage", "needed"), [(0.9, 9), (0.95, 19), (0.99, 99)])
def test_too_few_pictures_put_every_class_into_the_set(coverage: float, needed: int) -> None:
    assert least_probability(val_of([0.9] * needed), coverage) > 0
    assert least_probability(val_of([0.9] * (needed - 1)), coverage) == 0
    assert prediction_set(ROW, 0).tolist() == [1, 2, 0, 3]


@pytest.mark.parametrize(
    ("least", "labels"), [(0.2, [1, 2]), (0.25, [1, 2]), (0.6, [1]), (0.9, [1]), (0.07, [1, 2, 0])]
)
def test_a_set_by_hand(least: float, labels: list[int]) -> None:
    assert prediction_set(ROW, least).tolist() == labels


def test_sets_are_checked_by_hand() -> None:
    found = check_sets(np.stack([ROW, ROW, ROW]), np.array([1, 2, 3]), 0.9, 0.2)
    assert (found.num_images, found.num_covered, found.largest) == (3, 2, 2)
    assert (found.coverage, found.mean_size) == (pytest.approx(2 / 3), 2)
    assert found.coverage_interval is not None
    nothing = check_sets(np.zeros((0, 4), np.float32), np.zeros(0, int), 0.9, 0.2)
    assert nothing.coverage is nothing.mean_size is nothing.coverage_interval is None


@pytest.mark.parametrize("asked", [0.8, 0.9, 0.95])
def test_the_promise_is_kept_on_average(asked: float) -> None:
    """Over 60 draws of val (150) and test (400); the promise is at least `asked`, and little more
    where the top class alone covers less."""
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(60):
        answers = val_answers(*drawn(rng, 150), np.ones(150))
        found = check_sets(*drawn(rng, 400), asked, least_probability(answers, asked))
        covered.append(found.coverage)
    assert asked - 0.01 < np.mean(covered) < asked + 0.02
