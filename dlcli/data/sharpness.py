"""How sharp a picture is, whatever it shows, however large it is and however high its contrast.

The strength of the Laplacian is the classic measure of focus (Pech-Pacheco et al. 2000), but a
meadow has more of it than a wall. So it is compared with that of the same picture at half the size,
much as by blurring once more (Crete et al. 2007): the strongest edges of a sharp picture are about
as strong at both sizes, while of wide edges the small picture has up to 4 times as much. Both are
taken from a picture of about 120 pixels, so that blur counts by how much of the picture it smears.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE, MOST_SIDE = 120, 150
"""A picture up to the latter is taken as it is: resizing it costs more than all the rest."""

_LEAST_SIDE = 6
_STRONGEST = 0.998
_LEAST_STRENGTH = 0.5


def small_size(width: int, height: int) -> tuple[int, int]:
    """(width, height) of the same shape, `SIDE` on the longer side; a picture of at most
    `MOST_SIDE` keeps its own."""
    longer = max(width, height)
    if longer <= MOST_SIDE:
        return width, height
    return max(1, round(width * SIDE / longer)), max(1, round(height * SIDE / longer))


def sharpness_of(grey: Image.Image) -> float:
    """The strength of the strongest edges of a grey picture (mode L) of `small_size`, as a multiple
    of theirs at half that size: 0.25 of the softest blur, 1 of a sharp picture. Infinity where
    the picture is too small to tell."""
    if min(grey.size) < _LEAST_SIDE:
        return np.inf
    coarse = _edge_strength(np.asarray(grey.reduce(2)))
    return _edge_strength(np.asarray(grey)) / max(coarse, _LEAST_STRENGTH)


def _edge_strength(pixels: NDArray[np.uint8]) -> float:
    """What 499 of 500 absolute values of the Laplacian of uint8 (H, W) do not exceed."""
    values = pixels.astype(np.int16)
    laplacian = 4 * values[1:-1, 1:-1]
    laplacian -= values[:-2, 1:-1]
    laplacian -= values[2:, 1:-1]
    laplacian -= values[1:-1, :-2]
    laplacian -= values[1:-1, 2:]
    counts = np.cumsum(np.bincount(np.abs(laplacian).ravel()))
    return float(np.searchsorted(counts, _STRONGEST * counts[-1]))
