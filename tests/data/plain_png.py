"""A second PNG decoder, written for clarity alone, that the reader's pixels are held against."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_ADAM7 = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)  # top, left, step down, step right


def chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The kind and the data of each chunk."""
    start = 8
    while start < len(content):
        length, kind = struct.unpack_from(">I4s", content, start)
        yield kind, content[start + 8 : start + 8 + length]
        start += 12 + length


def read_png(content: bytes) -> NDArray[np.int64]:
    """A sound PNG -> int64 (H, W, 4): red, green, blue, alpha, all 0-65535 as they are meant;
    samples of fewer than 16 bits are repeated to fill them."""
    found: dict[bytes, bytes] = {}
    for kind, data in chunks(content):
        found[kind] = found.get(kind, b"") + data
    width, height, depth, kind_of_color, *_, interlaced = struct.unpack(">IIBBBBB", found[b"IHDR"])
    packed = zlib.decompress(found[b"IDAT"])
    samples = np.zeros((height, width, _SAMPLES[kind_of_color]), np.int64)
    for top, left, down, right in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        part = samples[top::down, left::right]
        packed = _read_part(part, packed, depth)
    return _to_rgba(samples, depth, kind_of_color, found)


def _read_part(part: NDArray[np.int64], packed: bytes, depth: int) -> bytes:
    """Fills a picture, or one of an interlaced picture's seven, and returns the bytes after it."""
    height, width, num_samples = part.shape
    if not height or not width:
        return packed
    row_bytes = (width * num_samples * depth + 7) // 8
    step = max(1, num_samples * depth // 8)
    above = bytes(row_bytes)
    for row in range(height):
        start = row * (row_bytes + 1)
        line = _unfilter(packed[start], packed[start + 1 : start + 1 + row_bytes], above, step)
        part[row] = _unpack(line, depth)[: width * num_samples].reshape(width, num_samples)
        above = line
    return packed[height * (row_bytes + 1) :]


def _unfilter(method: int, filtered: bytes, above: bytes, step: int) -> bytes:
    line = bytearray(filtered)
    for index in range(len(line)):
        left = line[index - step] if index >= step else 0
        corner = above[index - step] if index >= step else 0
        guess = (0, left, above[index], (left + above[index]) // 2, 0)[method]
        if method == 4:  # Paeth: the neighbour nearest to left + above - corner
            aim = left + above[index] - corner
            guess = min((left, above[index], corner), key=lambda value: abs(aim - value))
        line[index] = (line[index] + guess) % 256
    return bytes(line)


def _unpack(line: bytes, depth: int) -> NDArray[np.int64]:
    if depth == 16:
        return np.frombuffer(line, ">u2").astype(np.int64)
    bits = np.unpackbits(np.frombuffer(line, np.uint8)).reshape(-1, depth)
    return bits.astype(np.int64) @ (1 << np.arange(depth)[::-1])


def _to_rgba(
    samples: NDArray[np.int64], depth: int, kind_of_color: int, found: dict[bytes, bytes]
) -> NDArray[np.int64]:
    transparent = found.get(b"tRNS", b"")
    if kind_of_color == 3:
        palette = np.frombuffer(found[b"PLTE"], np.uint8).reshape(-1, 3)
        alphas = np.full(len(palette), 255)
        alphas[: len(transparent)] = list(transparent)
        return np.dstack([palette[samples[..., 0]], alphas[samples[..., 0]]]).astype(np.int64) * 257
    scale = 65535 // (2**depth - 1)
    alpha = np.full(samples.shape[:2], 65535)
    if kind_of_color in (4, 6):
        alpha = samples[..., -1] * scale
        samples = samples[..., :-1]
    elif transparent:
        key = np.frombuffer(transparent, ">u2")
        alpha = np.where((samples == key).all(axis=-1), 0, 65535)
    return np.dstack([np.broadcast_to(samples * scale, (*alpha.shape, 3)), alpha])
