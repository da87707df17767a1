"""Which answers are wrong, and how sure of them a model was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def rank_mistakes(
    probabilities: NDArray[np.floating], labels: NDArray[np.integer]
) -> NDArray[np.int64]:
    """The rows whose most probable class is not the true one, the surest first, ties in order:
    int64 (M,). `probabilities` (N, K), `labels` (N,)."""
    if not len(labels):
        return np.zeros(0, np.int64)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels).astype(np.int64)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")]
