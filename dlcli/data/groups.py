"""Pictures that belong together, from links between two of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

NO_LINKS = np.empty((0, 2), np.int64)


def connected(num_rows: int, links: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number of the group of each row, int64 (num_rows,): rows share one when a chain of
    `links`, int64 (P, 2), leads from one to the other. Numbers count up in the order of the rows.
    """
    if not len(links):
        return np.arange(num_rows)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array(
        (np.ones(len(links), np.int8), (links[:, 0], links[:, 1])), (num_rows, num_rows)
    )
    _, numbers = connected_components(graph, directed=False)
    _, first, renumbered = np.unique(numbers, return_index=True, return_inverse=True)
    ranks = np.argsort(np.argsort(first))
    return ranks[renumbered].astype(np.int64)


def links_of_equals(keys: Sequence[Hashable | None]) -> NDArray[np.int64]:
    """Links, int64 (P, 2), between each row and the first one with the same key; None is like
    no other."""
    first: dict[Hashable, int] = {}
    links = [
        (start, row)
        for row, key in enumerate(keys)
        if key is not None and (start := first.setdefault(key, row)) != row
    ]
    return np.array(links, np.int64).reshape(-1, 2)


def members(numbers: Iterable[int]) -> list[list[int]]:
    """The rows of each group that has more than one, by the groups' numbers."""
    rows: dict[int, list[int]] = {}
    for row, number in enumerate(numbers):
        rows.setdefault(int(number), []).append(row)
    return [own for _, own in sorted(rows.items()) if len(own) > 1]
