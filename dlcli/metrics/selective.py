"""How sure a model must be for its answers to hold a promised share of errors: selective
classification (El-Yaniv and Wiener 2010), fitted on val."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlcli.metrics.intervals import wilson_interval
from dlcli.metrics.val_answers import ValAnswers


@dataclass(frozen=True)
class FittedThreshold:
    """Answers of `probability` (0-1) or more are given. On val these are `num_given` of
    `num_images`, `num_wrong` of them wrong; `error_interval` is the 95 % interval of that share,
    (low, high) in 0-1."""

    probability: float
    num_given: int
    num_wrong: int
    num_images: int
    error_interval: tuple[float, float]


def fit_threshold(
    val: ValAnswers, max_error: float, unknown_below: float | None
) -> FittedThreshold | None:
    """The threshold under which most answers on val are given and at most the share `max_error`
    (0-1) of them is wrong; None where there is none. Pictures whose typicality lies below
    `unknown_below` get no answer whatever the threshold.
    """
    counted = np.ones(len(val.is_right), bool)
    if unknown_below is not None:
        counted = val.typicality >= np.float32(unknown_below)
    order = np.argsort(-val.probabilities[counted], kind="stable")
    probabilities, is_right = val.probabilities[counted][order], val.is_right[counted][order]
    given = np.arange(1, len(order) + 1)
    wrong = np.cumsum(~is_right)
    # Answers that are equally sure are given together or not at all.
    is_last = np.append(probabilities[1:] < probabilities[:-1], True)[: len(order)]
    kept = np.flatnonzero(is_last & (wrong <= max_error * given))
    if not len(kept):
        return None
    last = int(kept[-1])
    num_given, num_wrong = int(given[last]), int(wrong[last])
    interval = wilson_interval(num_wrong, num_given)
    if interval is None:
        raise ValueError("an answer that is given can be counted")
    # Where val needs no threshold, none is laid on pictures that are less sure than all of val.
    least = 0.0 if num_given == len(order) else float(probabilities[last])
    return FittedThreshold(least, num_given, num_wrong, len(val.is_right), interval)
