"""How much a picture looks like those a model was trained on.

The distance to the k-th nearest training picture in normalised features tells foreign pictures
far better than a softmax does (Sun et al. 2022, "Out-of-Distribution Detection with Deep Nearest
Neighbors"). It is given as the share of val pictures that are less typical.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli.metrics.array_files import opened_arrays

UNKNOWN_BELOW = 0.05
"""A picture less typical than 95 % of val is called unknown."""

NEIGHBOURS = 5
MAX_TRAINING = 20_000
_ROWS_AT_ONCE = 16
"""Always so many, the last ones zeros: how a product is rounded depends on its shape, and the
typicality of a picture must not depend on those it is asked about with. Beside 20,000 training
pictures these cost little more than one alone: it is the training features that are fetched."""


@dataclass(frozen=True)
class Typicality:
    """Normalised training features, float32 (N, F), and the sorted distances of val, (V,). Where
    they are not those of all training pictures, `rows` (N,) are the places of these among all."""

    training: NDArray[np.float32]
    val_distances: NDArray[np.float32]
    rows: NDArray[np.int64] | None = None

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """float32 (B, F) -> the share (0-1) of val pictures that are less typical than each."""
        distances = _distances(_normalized(features), self.training)
        nearer_or_equal = np.searchsorted(self.val_distances, distances, side="right")
        return 1 - nearer_or_equal / len(self.val_distances)

    def nearest(
        self, features: NDArray[np.float32], count: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The training pictures whose features lie nearest to those (F,) of a picture, the nearest
        first: their places among all training pictures, and the cosines (-1 to 1)."""
        cosines = self.training @ _normalized(features[None])[0]
        places = np.argsort(-cosines, kind="stable")[:count]
        rows = places if self.rows is None else self.rows[places]
        return rows, np.clip(cosines[places], -1, 1)

    def save(self, path: Path) -> None:
        """Writes the training features as float16, .npz."""
        arrays: dict[str, Any] = {} if self.rows is None else {"rows": self.rows}
        np.savez(
            path,
            training=self.training.astype(np.float16),
            val_distances=self.val_distances,
            **arrays,
        )


def fit_typicality(
    training: NDArray[np.float32], val: NDArray[np.float32], seed: int = 0
) -> Typicality:
    """From the features (N, F) of the training pictures and of val; beyond 20,000 training
    pictures a random 20,000 stand for all."""
    rows = None
    if len(training) > MAX_TRAINING:
        chosen = np.random.default_rng(seed).choice(len(training), MAX_TRAINING, replace=False)
        rows = np.sort(chosen)
        training = training[rows]
    # Rounded as it will be loaded, so that val's distances are those that predict measures.
    kept = _normalized(training).astype(np.float16).astype(np.float32)
    return Typicality(kept, np.sort(_distances(_normalized(val), kept)), rows)


def load_typicality(path: Path) -> Typicality:
    """Reads what `Typicality.save` wrote.

    Raises:
        DataError: if the file is missing or damaged.
    """
    with opened_arrays(path, "holds no readable training features") as arrays:
        training = arrays["training"].astype(np.float32)
        return Typicality(training, arrays["val_distances"], arrays.get("rows"))


def _normalized(features: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(features.astype(np.float32), axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-12), np.float32)


def _distances(features: NDArray[np.float32], training: NDArray[np.float32]) -> NDArray[np.float32]:
    """Euclidean distance of each unit vector to its k-th nearest training vector."""
    neighbour = min(NEIGHBOURS, len(training)) - 1
    distances = np.empty(len(features), np.float32)
    block = np.zeros((_ROWS_AT_ONCE, features.shape[1]), np.float32)
    for start in range(0, len(features), _ROWS_AT_ONCE):
        own = features[start : start + _ROWS_AT_ONCE]
        block[: len(own)] = own
        block[len(own) :] = 0
        squares = 2 - 2 * (block @ training.T)[: len(own)]
        nearest = np.partition(squares, neighbour, axis=1)[:, neighbour]
        distances[start : start + len(own)] = np.sqrt(np.maximum(nearest, 0))
    return distances
