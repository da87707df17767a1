"""All numbers of one evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli.metrics.calibration import expected_calibration_error, without_temperature
from dlcli.metrics.classification import (
    AverageScores,
    ClassScores,
    ConfusedPair,
    average,
    count_confusion,
    mean_log_loss,
    most_confused,
    score_classes,
    top_k_accuracy,
)
from dlcli.metrics.coverage import CoveragePoint, risk_coverage
from dlcli.metrics.intervals import wilson_interval

TOP_KS = (2, 3, 5)


@dataclass(frozen=True)
class Report:
    """What one evaluation found; shares are in 0-1, None is undefined.

    `confusion_matrix` has true classes in rows. `majority_baseline` is the accuracy of always
    guessing the most frequent class of these pictures, `chance_baseline` that of guessing any class
    with the same probability. `calibration_error_before` is the expected calibration error without
    the temperature. What a report of an older dlcli does not have is None.
    """

    num_images: int
    accuracy: float | None
    accuracy_interval: tuple[float, float] | None
    balanced_accuracy: float | None
    top_k_accuracy: dict[str, float | None]
    log_loss: float | None
    expected_calibration_error: float | None
    majority_baseline: float | None
    classes: tuple[ClassScores, ...]
    macro_avg: AverageScores
    weighted_avg: AverageScores
    confusion_matrix: tuple[tuple[int, ...], ...]
    most_confused: tuple[ConfusedPair, ...]
    calibration_error_before: float | None = None
    chance_baseline: float | None = None
    risk_coverage: tuple[CoveragePoint, ...] | None = None

    @property
    def num_correct(self) -> int:
        """Pictures whose most probable class is the true one."""
        return sum(row[label] for label, row in enumerate(self.confusion_matrix))

    def to_json(self) -> dict[str, Any]:
        """Plain dicts and lists under the contract's names."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Report:
        """What `to_json` gave.

        Raises:
            KeyError, TypeError: if it is something else.
        """
        averages = {key: AverageScores(**document[key]) for key in ("macro_avg", "weighted_avg")}
        interval, coverage = document["accuracy_interval"], document.get("risk_coverage")
        return cls(
            **{
                **document,
                **averages,
                "accuracy_interval": None if interval is None else tuple(interval),
                "classes": tuple(ClassScores(**scores) for scores in document["classes"]),
                "confusion_matrix": tuple(map(tuple, document["confusion_matrix"])),
                "most_confused": tuple(ConfusedPair(**pair) for pair in document["most_confused"]),
                "risk_coverage": None
                if coverage is None
                else tuple(CoveragePoint(**point) for point in coverage),
            }
        )


def top_ks(num_classes: int) -> tuple[int, ...]:
    """The k for which a top-k accuracy says something: those below the number of classes."""
    return tuple(k for k in TOP_KS if k < num_classes)


def make_report(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.integer],
    class_names: Sequence[str],
    temperature: float | None = None,
) -> Report:
    """The report on `probabilities` (N, K) of pictures with `labels` (N,), in class order.

    `temperature` is what the logits were divided by, None where that is not known.
    """
    num_images, num_classes = len(labels), len(class_names)
    predicted = probabilities.argmax(axis=1) if num_images else np.zeros(0, np.int64)
    matrix = count_confusion(labels, predicted, num_classes)
    scores = score_classes(matrix, class_names)
    correct = int(matrix.trace())
    return Report(
        num_images=num_images,
        accuracy=correct / num_images if num_images else None,
        accuracy_interval=wilson_interval(correct, num_images),
        balanced_accuracy=average(scores).recall,
        top_k_accuracy={
            str(k): top_k_accuracy(probabilities, labels, k) for k in top_ks(num_classes)
        },
        log_loss=mean_log_loss(probabilities, labels),
        expected_calibration_error=expected_calibration_error(probabilities, labels),
        majority_baseline=int(matrix.sum(axis=1).max()) / num_images if num_images else None,
        classes=tuple(scores),
        macro_avg=average(scores),
        weighted_avg=average(scores, weighted=True),
        confusion_matrix=tuple(tuple(int(count) for count in row) for row in matrix),
        most_confused=tuple(most_confused(matrix, class_names)),
        calibration_error_before=None
        if temperature is None
        else expected_calibration_error(without_temperature(probabilities, temperature), labels),
        chance_baseline=1 / num_classes if num_images else None,
        risk_coverage=risk_coverage(probabilities, labels),
    )
