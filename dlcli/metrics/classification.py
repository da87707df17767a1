"""Per-class numbers of a classifier; what is undefined is None, never 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.int64]


@dataclass(frozen=True)
class ClassScores:
    """One class: each score in 0-1, or None where it has no denominator."""

    name: str
    precision: float | None
    recall: float | None
    f1_score: float | None
    support: int


@dataclass(frozen=True)
class AverageScores:
    """Means over the classes for which a score is defined."""

    precision: float | None
    recall: float | None
    f1_score: float | None


@dataclass(frozen=True)
class ConfusedPair:
    """How often pictures of the class `true` were taken for `predicted`."""

    true: str
    predicted: str
    count: int


def count_confusion(
    labels: NDArray[np.integer], predicted: NDArray[np.integer], num_classes: int
) -> Matrix:
    """int64 (K, K); rows are true classes, columns predicted ones."""
    from sklearn.metrics import confusion_matrix

    if not len(labels):
        return np.zeros((num_classes, num_classes), np.int64)
    matrix = confusion_matrix(labels, predicted, labels=range(num_classes))
    return np.asarray(matrix, np.int64)


def score_classes(matrix: Matrix, class_names: Sequence[str]) -> list[ClassScores]:
    """Precision, recall and F1 of each class from its confusion matrix.

    A class that is never predicted has no precision, one without pictures no recall; F1 is
    2 TP / (2 TP + FP + FN), undefined only where all three are 0.
    """
    hits, support, taken = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    return [
        ClassScores(
            name,
            _ratio(hits[label], taken[label]),
            _ratio(hits[label], support[label]),
            _ratio(2 * hits[label], support[label] + taken[label]),
            int(support[label]),
        )
        for label, name in enumerate(class_names)
    ]


def average(scores: Sequence[ClassScores], *, weighted: bool = False) -> AverageScores:
    """Plain means, or means weighted by support, over the classes where a score is defined."""

    def mean(values: list[tuple[float | None, int]]) -> float | None:
        known = [(value, support if weighted else 1) for value, support in values
                 if value is not None]  # fmt: skip
        weight = sum(share for _, share in known)
        return sum(value * share for value, share in known) / weight if weight else None

    return AverageScores(
        mean([(score.precision, score.support) for score in scores]),
        mean([(score.recall, score.support) for score in scores]),
        mean([(score.f1_score, score.support) for score in scores]),
    )


def most_confused(matrix: Matrix, class_names: Sequence[str], most: int = 10) -> list[ConfusedPair]:
    """The pairs of classes that are mixed up most, the most frequent first, ties in class order."""
    pairs = [
        ConfusedPair(class_names[true], class_names[predicted], int(matrix[true, predicted]))
        for true, predicted in zip(*np.nonzero(matrix), strict=True)
        if true != predicted
    ]
    return sorted(pairs, key=lambda pair: -pair.count)[:most]


def top_k_accuracy(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer], k: int
) -> float | None:
    """The share of pictures whose class is among the k most probable; None for no pictures.

    A class counts where fewer than k others are more probable.
    """
    if not len(labels):
        return None
    own = probabilities[np.arange(len(labels)), labels]
    return float(((probabilities > own[:, None]).sum(axis=1) < k).mean())


def mean_log_loss(probabilities: NDArray[np.floating], labels: NDArray[np.integer]) -> float | None:
    """Mean of -log p(true class), natural logarithm, 0 or more; probabilities below 1e-7 count as
    that."""
    if not len(labels):
        return None
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(np.log(1 / np.clip(own, 1e-7, 1.0)).mean())


def _ratio(part: np.int64, whole: np.int64) -> float | None:
    return float(part / whole) if whole else None
