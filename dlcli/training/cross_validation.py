"""What linear heads say of pictures that they have not seen: k-fold cross-validation.

Every picture is held out once, with all that belongs to it, and asked of a head that was fitted on
the other folds as a run's own head is (`training.head`). Needs no Keras.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli.metrics.calibration import fit_temperature
from dlcli.processor import num_threads
from dlcli.runtime.head import softmax
from dlcli.training.head import (
    FOLD_TOLERANCE,
    PENALTIES,
    Floats,
    LabelledFeatures,
    Labels,
    fit_solver,
    log_losses,
    new_solver,
    rises,
    span,
    weights_of,
    within_one_standard_error,
)
from dlcli.workers import in_order

NUM_FOLDS = 5


@dataclass(frozen=True)
class HeldOut:
    """Probabilities float32 (N, K) of each picture from a head that has not seen its group.

    `judged` (N,) is where that head knew the picture's own class and another one; the other
    rows say nothing. `penalty` is the one chosen.
    """

    probabilities: Floats
    judged: NDArray[np.bool_]
    penalty: float


@dataclass
class _Fold:
    """Rows to learn from and rows held out; the solver goes on from one penalty to the next.
    `classes` are the labels among the former, sorted."""

    learned: NDArray[np.int64]
    held_out: NDArray[np.int64]
    classes: NDArray[np.int64]
    solver: Any


def deal_folds(labels: Labels, groups: NDArray[np.int64], seed: int = 0) -> NDArray[np.int64]:
    """The fold, 0-4, of each row, int64 (N,): every class is spread evenly, a group stays whole.

    A class with fewer groups than folds is held out in as many as it has groups.
    """
    _, first, numbers = np.unique(groups, return_index=True, return_inverse=True)
    shuffled = np.random.default_rng(seed).permutation(len(first))
    by_class = shuffled[np.argsort(labels[first][shuffled], kind="stable")]
    folds = np.empty(len(first), np.int64)
    folds[by_class] = np.arange(len(first)) % NUM_FOLDS
    dealt: NDArray[np.int64] = folds[numbers]
    return dealt


def cross_validate(
    data: LabelledFeatures,
    folds: NDArray[np.int64],
    num_classes: int,
    *,
    penalties: Sequence[float] = PENALTIES,
    learned: NDArray[np.bool_] | None = None,
) -> HeldOut:
    """Asks each picture of a head fitted on the other folds; of those on the rows `learned` alone.

    The penalty, one for all folds, is the largest whose log loss on held-out pictures is within one
    standard error of the best, and one temperature (Guo 2017) is fitted on their logits: two
    numbers chosen on all pictures, which tell a single one nothing about its label.
    `penalties` go from large to small and no further than the loss falls.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    usable = np.ones(len(folds), np.bool_) if learned is None else learned
    parts = [_fold(data.labels, folds == fold, usable) for fold in np.unique(folds)]
    parts = [part for part in parts if len(part.classes) > 1]
    judged = np.zeros(len(folds), np.bool_)
    for part in parts:
        judged[part.held_out] = np.isin(data.labels[part.held_out], part.classes)
    counted = np.flatnonzero(judged & usable)
    if not len(counted):
        even = np.full((len(folds), num_classes), 1 / num_classes, np.float32)
        return HeldOut(even, judged, penalties[0])
    # The small products of a fit take several times as long where the threads of BLAS and of
    # OpenMP compete for the processors: here each fold has a thread, and they have none.
    with threadpool_limits(1):
        inside = span(data.features).enter(data.features)
        fits, losses = _fits(inside, data.labels, parts, penalties, counted, num_classes)
    chosen = within_one_standard_error(losses)
    temperature = fit_temperature(fits[chosen][counted], data.labels[counted])
    return HeldOut(softmax(fits[chosen] / temperature), judged, penalties[chosen])


def _fold(labels: Labels, is_held_out: NDArray[np.bool_], usable: NDArray[np.bool_]) -> _Fold:
    learned = np.flatnonzero(~is_held_out & usable)
    return _Fold(
        learned,
        np.flatnonzero(is_held_out),
        np.unique(labels[learned]),
        new_solver(FOLD_TOLERANCE),
    )


def _fits(
    inside: Floats,
    labels: Labels,
    parts: Sequence[_Fold],
    penalties: Sequence[float],
    counted: NDArray[np.int64],
    num_classes: int,
) -> tuple[list[Floats], NDArray[np.floating]]:
    """Logits (N, K) for each penalty, as far as the log loss on the `counted` rows falls, and those
    losses (penalties, counted)."""
    fits: list[Floats] = []
    losses: list[NDArray[np.floating]] = []
    for penalty in penalties:
        fits.append(_logits(inside, labels, parts, penalty, num_classes))
        losses.append(log_losses(fits[-1][counted], labels[counted]))
        if rises(np.stack(losses)):
            break
    return fits, np.stack(losses)


def _logits(
    inside: Floats, labels: Labels, parts: Sequence[_Fold], penalty: float, num_classes: int
) -> Floats:
    """Logits (N, K) of the held-out rows of all folds, which are fitted side by side; minus
    infinity for a class that a fold did not know."""
    from threadpoolctl import threadpool_limits

    def fit(part: _Fold) -> Floats:
        with threadpool_limits(1, "openmp"):  # which counts for each thread that uses it
            known = np.searchsorted(part.classes, labels[part.learned])
            fit_solver(part.solver, inside[part.learned], known, penalty)
        weights, bias = weights_of(part.solver, len(part.classes))
        return inside[part.held_out] @ weights + bias

    logits = np.zeros((len(inside), num_classes), np.float32)
    for part, found in zip(parts, in_order(fit, parts, num_threads()), strict=True):
        logits[part.held_out] = -np.inf
        logits[np.ix_(part.held_out, part.classes)] = found
    return logits
