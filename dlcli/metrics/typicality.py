"""How much a picture looks like those a model was trained on.

The distance to the k-th nearest training picture in normalised features tells foreign pictures
far better than a softmax does (Sun et al. 2022, "Out-of-Distribution Detection with Deep Nearest
Neighbors"). It is given as the share of val pictures that are less typical.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from dlcli.errors import DataError

UNKNOWN_BELOW = 0.05
"""A picture less typical than 95 % of val is called unknown."""

NEIGHBOURS = 5
MAX_TRAINING = 20_000
_ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class Typicality:
    """Normalised training features, float32 (N, F), and the sorted distances of val, (V,)."""

    training: NDArray[np.float32]
    val_distances: NDArray[np.float32]

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """float32 (B, F) -> the share (0-1) of val pictures that are less typical than each."""
        distances = _distances(_normalized(features), self.training)
        nearer_or_equal = np.searchsorted(self.val_distances, distances, side="right")
        return 1 - nearer_or_equal / len(self.val_distances)

    def save(self, path: Path) -> None:
        """Writes the training features as float16, .npz."""
        np.savez(
            path,
            training=self.training.astype(np.float16),
            val_distances=self.val_distances,
        )


def fit_typicality(
    training: NDArray[np.float32], val: NDArray[np.float32], seed: int = 0
) -> Typicality:
    """From the features (N, F) of the training pictures and of val; beyond 20,000 training
    pictures a random 20,000 stand for all."""
    if len(training) > MAX_TRAINING:
        chosen = np.random.default_rng(seed).choice(len(training), MAX_TRAINING, replace=False)
        training = training[np.sort(chosen)]
    # Rounded as it will be loaded, so that val's distances are those that predict measures.
    kept = _normalized(training).astype(np.float16).astype(np.float32)
    return Typicality(kept, np.sort(_distances(_normalized(val), kept)))


def load_typicality(path: Path) -> Typicality:
    """Reads what `Typicality.save` wrote.

    Raises:
        DataError: if the file is missing or damaged.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Typicality(arrays["training"].astype(np.float32), arrays["val_distances"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, BadZipFile) as error:
        raise DataError(
            f"this holds no readable training features ({error}).",
            where=str(path),
            fix="Train again, or take the run from a backup.",
        ) from error


def _normalized(features: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(features.astype(np.float32), axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-12), np.float32)


def _distances(features: NDArray[np.float32], training: NDArray[np.float32]) -> NDArray[np.float32]:
    """Euclidean distance of each unit vector to its k-th nearest training vector."""
    neighbour = min(NEIGHBOURS, len(training)) - 1
    distances = np.empty(len(features), np.float32)
    for start in range(0, len(features), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        squares = 2 - 2 * (features[rows] @ training.T)
        nearest = np.partition(squares, neighbour, axis=1)[:, neighbour]
        distances[rows] = np.sqrt(np.maximum(nearest, 0))
    return distances
