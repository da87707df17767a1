"""Features that know where things are: beside their mean over the whole picture the means over the
cells of a grid, as a spatial pyramid has them (Lazebnik 2006).

Where pictures are framed alike - clothes on a hanger, parts on a belt, leaves on a table - what is
seen at the top says another thing than at the bottom. A mean over the picture forgets where it was.
"""

from __future__ import annotations

from dlcli.backend import Model, keras
from dlcli.models.blocks import entry_of_last

GRID = 3
"""Cells to each side."""

_BLOCKS = 3
"""What enters so many of the last blocks is looked at: beyond, a cell sees the whole picture."""


def with_layout(body: Model) -> Model:
    """A body that gives its features (B, F) and behind them those of the cells, row by row:
    (B, F + GRID * GRID * C). The body itself where what enters its last blocks has no room for a
    grid."""
    inside = entry_of_last(body, _BLOCKS)
    if len(inside.shape) != 4 or min(inside.shape[1:3]) < GRID or inside is body.input:
        return body
    height, width = inside.shape[1:3]
    cells = [
        keras.layers.GlobalAveragePooling2D()(keras.layers.Cropping2D((rows, columns))(inside))
        for rows in _margins(height)
        for columns in _margins(width)
    ]
    features = keras.layers.Concatenate(name="layout")([body.output, *cells])
    return keras.Model(body.input, features, name=body.name)


def _margins(size: int) -> list[tuple[int, int]]:
    """What lies before and behind each cell of a side."""
    edges = [round(number * size / GRID) for number in range(GRID + 1)]
    return [(edges[cell], size - edges[cell + 1]) for cell in range(GRID)]
