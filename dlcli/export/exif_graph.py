"""Which way is up, read from a JPEG's bytes by a TensorFlow graph."""

from __future__ import annotations

from typing import Any

from dlcli import backend

_MOST_SEGMENTS, _MOST_TAGS = 64, 512
_APP1, _SCAN, _FIRST_MARKER, _LAST_MARKER = 0xFFE1, 0xFFDA, 0xFFC0, 0xFFFE
_EXIF = b"Exif\x00\x00"
_ORIENTATION, _SHORT, _UPRIGHT = 0x0112, 3, 1


def read_number(content: Any, start: Any, num_bytes: int, *, is_little: Any) -> Any:
    """An unsigned number within a string tensor; int64, 0 where the string ends before it."""
    tf = backend.tensorflow()
    start = tf.minimum(tf.cast(start, tf.int64), _length(content))
    piece = tf.strings.substr(content, start, num_bytes)
    digits = tf.cast(tf.io.decode_raw(piece, tf.uint8), tf.int64)

    def number() -> Any:
        little = tf.cond(tf.convert_to_tensor(is_little), lambda: digits, lambda: digits[::-1])
        return tf.reduce_sum(tf.bitwise.left_shift(little, tf.range(0, 8 * num_bytes, 8, tf.int64)))

    is_whole = tf.equal(tf.shape(digits)[0], num_bytes)
    return tf.cond(is_whole, number, lambda: _int64(0))


def read_orientation(content: Any) -> Any:
    """What EXIF in a JPEG, a string tensor (), says: int32, 1 (upright) to 8; 1 where it is broken
    or says nothing."""
    tf = backend.tensorflow()
    tiff = _tiff(content)
    is_little = tf.equal(tf.strings.substr(tiff, 0, 2), b"II")

    def number(start: Any, num_bytes: int) -> Any:
        return read_number(tiff, start, num_bytes, is_little=is_little)

    first = number(_int64(4), 4)
    count = tf.minimum(number(first, 2), _MOST_TAGS)

    def look(index: Any, found: Any) -> Any:
        entry = first + 2 + 12 * index
        is_it = tf.equal(number(entry, 2), _ORIENTATION)
        is_short = tf.equal(number(entry + 2, 2), _SHORT)
        value = tf.where(is_short, number(entry + 8, 2), number(entry + 8, 4))
        return index + 1, tf.where(is_it, value, found)

    _, found = tf.while_loop(lambda index, _: index < count, look, (_int64(0), _int64(_UPRIGHT)))
    return tf.cast(tf.where((found >= 1) & (found <= 8), found, _UPRIGHT), tf.int32)


def turn_upright(pixels: Any, orientation: Any) -> Any:
    """(H, W, C) that lie as EXIF's `orientation` says -> upright, (H, W, C) or (W, H, C)."""
    tf = backend.tensorflow()

    def flipped(*axes: int) -> Any:
        return lambda: tf.reverse(pixels, axes)

    def crossed(*axes: int) -> Any:
        return lambda: tf.reverse(tf.transpose(pixels, (1, 0, 2)), axes)

    turns = [lambda: pixels, flipped(1), flipped(0, 1), flipped(0)]
    turns += [lambda: tf.transpose(pixels, (1, 0, 2)), crossed(1), crossed(0, 1), crossed(0)]
    return tf.switch_case(orientation - 1, turns)


def _tiff(content: Any) -> Any:
    """What a JPEG's first EXIF segment holds; an empty string without one."""
    tf = backend.tensorflow()
    size = _length(content)

    def goes_on(start: Any, found: Any, count: Any) -> Any:
        return (start < size) & tf.equal(found, 0) & (count < _MOST_SEGMENTS)

    def look(start: Any, found: Any, count: Any) -> Any:
        marker = read_number(content, start, 2, is_little=False)
        length = read_number(content, start + 2, 2, is_little=False)
        begins = tf.strings.substr(content, tf.minimum(start + 4, size), len(_EXIF))
        is_exif = tf.equal(marker, _APP1) & tf.equal(begins, _EXIF)
        is_segment = (marker >= _FIRST_MARKER) & (marker <= _LAST_MARKER)
        goes_on = is_segment & tf.not_equal(marker, _SCAN)
        following = tf.where(goes_on, start + 2 + length, size)
        return following, tf.where(is_exif, start, found), count + 1

    _, found, _ = tf.while_loop(goes_on, look, (_int64(2), _int64(0), _int64(0)))
    length = tf.maximum(read_number(content, found + 2, 2, is_little=False) - 2 - len(_EXIF), 0)
    start = tf.minimum(found + 4 + len(_EXIF), size)
    return tf.strings.substr(content, start, tf.where(found > 0, length, 0))


def _length(content: Any) -> Any:
    tf = backend.tensorflow()
    return tf.cast(tf.strings.length(content), tf.int64)


def _int64(value: int) -> Any:
    tf = backend.tensorflow()
    return tf.constant(value, tf.int64)
