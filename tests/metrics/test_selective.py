"""How sure an answer must be for errors to be as rare as asked."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli.metrics.intervals import wilson_interval
from dlcli.metrics.selective import FittedThreshold, fit_threshold
from dlcli.metrics.val_answers import ValAnswers


def val(probabilities: list[float], right: list[int], typicality: float = 0.5) -> ValAnswers:
    sureness = np.array(probabilities, np.float32)
    typical = np.full(len(sureness), typicality, np.float32)
    return ValAnswers(sureness, sureness, np.array(right, bool), typical)


TEN = val([0.99, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6, 0.5, 0.4], [1, 1, 1, 1, 0, 1, 1, 1, 0, 0])


def fitted(answers: ValAnswers, share: float, below: float | None = None) -> FittedThreshold:
    found = fit_threshold(answers, share, below)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("share", "probability", "given", "wrong"),
    [(0.001, 0.85, 4, 0), (0.125, 0.6, 8, 1), (0.25, 0.5, 9, 2), (0.3, 0, 10, 3), (0.9, 0, 10, 3)],
)
def test_by_hand(share: float, probability: float, given: int, wrong: int) -> None:
    found = fitted(TEN, share)
    assert found.probability == pytest.approx(probability)
    assert (found.num_given, found.num_wrong, found.num_images) == (given, wrong, 10)
    assert found.error_interval == wilson_interval(wrong, given)


def test_what_is_atypical_gets_no_answer_and_does_not_count() -> None:
    typicality = np.full(10, 0.5, np.float32)
    typicality[4] = 0.01  # the surest mistake
    answers = ValAnswers(TEN.probabilities, TEN.probabilities, TEN.is_right, typicality)
    found = fitted(answers, 0.001, 0.05)
    assert (found.num_given, found.num_wrong, found.num_images) == (7, 0, 10)
    assert found.probability == pytest.approx(0.6)
    assert fitted(answers, 0.001).num_given == 4


def test_equally_sure_answers_are_given_together() -> None:
    assert fitted(val([0.9, 0.9, 0.8], [1, 0, 1]), 0.5).num_given == 3
    assert fit_threshold(val([0.9, 0.9], [1, 0]), 0.4, None) is None
    assert fitted(val([0.9, 0.8, 0.8], [1, 1, 0]), 0.1).num_given == 1


def test_where_the_surest_is_wrong_there_may_be_none() -> None:
    assert fit_threshold(val([0.9], [0]), 0.05, None) is None
    assert fit_threshold(val([], []), 0.05, None) is None
    assert fit_threshold(val([0.9], [1], typicality=0.0), 0.05, 0.05) is None


@pytest.mark.parametrize("seed", range(20))
def test_the_share_is_kept_and_one_more_would_break_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sureness = rng.uniform(0.3, 1, 200).astype(np.float32)
    right = rng.uniform(size=200) < sureness
    found = fitted(val(sureness.tolist(), right.tolist()), 0.1)
    given = sureness >= np.float32(found.probability)
    assert given.sum() == found.num_given
    assert (~right[given]).sum() == found.num_wrong <= 0.1 * found.num_given
    for other in np.sort(sureness[~given])[::-1]:
        more = sureness >= other
        assert (~right[more]).sum() > 0.1 * more.sum()
