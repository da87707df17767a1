"""What a model answered on val, kept beside it: by it a promise about errors is made good."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlcli.metrics.array_files import opened_arrays


@dataclass(frozen=True)
class ValAnswers:
    """Of each val picture (V,): the probability of the class it was taken for, the one of its true
    class, both float32 in 0-1, whether the two are the same, and its typicality in 0-1."""

    probabilities: NDArray[np.float32]
    true_probabilities: NDArray[np.float32]
    is_right: NDArray[np.bool_]
    typicality: NDArray[np.float32]

    def save(self, path: Path) -> None:
        """Writes them as .npz."""
        np.savez(
            path,
            probabilities=self.probabilities,
            true_probabilities=self.true_probabilities,
            is_right=self.is_right,
            typicality=self.typicality,
        )


def val_answers(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.integer],
    typicality: NDArray[np.floating],
) -> ValAnswers:
    """From the probabilities (V, K), labels (V,) and typicality (V,) of val."""
    rows = np.arange(len(labels))
    return ValAnswers(
        probabilities.max(axis=1),
        probabilities[rows, labels],
        probabilities.argmax(axis=1) == labels,
        typicality.astype(np.float32),
    )


def load_val_answers(path: Path) -> ValAnswers:
    """Reads what `ValAnswers.save` wrote.

    Raises:
        DataError: if the file is missing or damaged.
    """
    with opened_arrays(path, "holds no readable answers on val") as arrays:
        found = ValAnswers(
            arrays["probabilities"],
            arrays["true_probabilities"],
            arrays["is_right"],
            arrays["typicality"],
        )
        _require_one_length(found)
        return found


def _require_one_length(found: ValAnswers) -> None:
    if len({one.shape for one in vars(found).values()}) > 1:
        raise ValueError("its columns are not equally long")
