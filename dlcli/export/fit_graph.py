"""Pictures of any size -> the size of a network's input, by a TensorFlow graph.

Pillow's antialiased bilinear filter as two matrices, one for columns and one for rows, which are
counted in the same whole parts and applied in the same order as Pillow 13 does, each result rounded
to whole levels: what comes out is equal, not alike. TensorFlow's own `resize` is up to a level off.
"""

from __future__ import annotations

from typing import Any

from dlcli import backend
from dlcli.data.pixels import PAD_GREY, PixelFormat

_PARTS = 1 << 22
"""Pillow's weights are whole 4,194,304ths. Sums of them are exact in float64, not in float32."""


def fit(pixels: Any, pixel_format: PixelFormat) -> Any:
    """float64 (H, W, C) of whole levels, 0-255 -> the same of the size in `pixel_format`."""
    tf = backend.tensorflow()
    height, width = tf.shape(pixels)[0], tf.shape(pixels)[1]
    rows, columns = pixel_format.image_size
    if pixel_format.resize == "stretch":
        return _resized(pixels, (0, height), (0, width), rows, columns)
    if pixel_format.resize == "crop":
        box_width = _side(height, columns, rows, most=width)
        box_height = _side(width, rows, columns, most=height)
        top, left = (height - box_height) // 2, (width - box_width) // 2
        down, across = (top, top + box_height), (left, left + box_width)
        return _resized(pixels, down, across, rows, columns)
    scale = tf.minimum(share(columns, width), share(rows, height))
    new = [
        tf.maximum(1, tf.cast(tf.round(tf.cast(side, tf.float64) * scale), tf.int32))
        for side in (height, width)
    ]
    whole = _resized(pixels, (0, height), (0, width), *new)
    top, left = (rows - new[0]) // 2, (columns - new[1]) // 2
    around = [[top, rows - new[0] - top], [left, columns - new[1] - left], [0, 0]]
    return tf.pad(whole, around, constant_values=float(PAD_GREY))


def share(part: Any, whole: Any) -> Any:
    """part / whole in float64, as Python divides whole numbers."""
    tf = backend.tensorflow()
    return tf.cast(part, tf.float64) / tf.cast(whole, tf.float64)


def _side(other: Any, numerator: int, denominator: int, *, most: Any) -> Any:
    """A side of the box to cut, from the picture's other side and the wanted shape."""
    tf = backend.tensorflow()
    side = tf.cast(tf.round(share(other * numerator, denominator)), tf.int32)
    return tf.maximum(1, tf.minimum(most, side))


def _resized(pixels: Any, down: Any, across: Any, rows: Any, columns: Any) -> Any:
    """The box (top, bottom), (left, right) of (H, W, C) as (rows, columns, C)."""
    tf = backend.tensorflow()
    height, width = tf.shape(pixels)[0], tf.shape(pixels)[1]

    def narrowed(pixels: Any) -> Any:
        return _levels(tf.einsum("ow,hwc->hoc", _filter(width, across, columns), pixels))

    def lowered(pixels: Any) -> Any:
        return _levels(tf.einsum("oh,hwc->owc", _filter(height, down, rows), pixels))

    is_tall = (height > rows) & (height - rows > 2 * (width - columns))
    return tf.cond(is_tall, lambda: narrowed(lowered(pixels)), lambda: lowered(narrowed(pixels)))


def _filter(num_in: Any, box: tuple[Any, Any], num_out: Any) -> Any:
    """float64 (num_out, num_in), rows sum to 1: what each pixel within the box and its neighbours
    beyond it give to each of the new ones; a triangle as wide as two new pixels, or two old."""
    tf = backend.tensorflow()
    start, end = (tf.cast(edge, tf.float64) for edge in box)
    scale = (end - start) / tf.cast(num_out, tf.float64)
    centers = start + (tf.range(num_out, dtype=tf.float64) + 0.5) * scale
    places = tf.range(num_in, dtype=tf.float64) + 0.5
    distances = tf.abs(places[None, :] - centers[:, None]) / tf.maximum(scale, 1.0)
    weights = tf.nn.relu(1 - distances)
    shares = weights / tf.reduce_sum(weights, axis=1, keepdims=True)
    return tf.floor(shares * _PARTS + 0.5) / _PARTS


def _levels(values: Any) -> Any:
    tf = backend.tensorflow()
    return tf.clip_by_value(tf.floor(values + 0.5), 0, 255)
