"""The order of what went wrong."""

from __future__ import annotations

import numpy as np

from dlcli.metrics.mistakes import rank_mistakes


def test_the_surest_comes_first_and_ties_stay_in_order() -> None:
    probabilities = np.array([[0.6, 0.4], [0.9, 0.1], [0.3, 0.7], [0.4, 0.6], [0.2, 0.8]])
    labels = np.array([1, 0, 0, 0, 0])
    assert rank_mistakes(probabilities, labels).tolist() == [4, 2, 0, 3]


def test_nothing_wrong_and_nothing_at_all() -> None:
    assert rank_mistakes(np.array([[0.6, 0.4]]), np.array([0])).tolist() == []
    assert rank_mistakes(np.zeros((0, 2)), np.zeros(0, np.int64)).tolist() == []
