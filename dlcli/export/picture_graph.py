"""The reader once more, as a TensorFlow graph: a SavedModel takes encoded pictures with it.

The rules are those of `data.pixels`: a JPEG is turned upright by its EXIF and decoded at the same
fraction of its size, transparency lies over white, the box is cut at whole pixels, and the filter
is the same. What TensorFlow decodes is all it can: JPEG, PNG, GIF (its first frame) and BMP. It
does not turn a PNG by EXIF nor anything by XMP alone, and a GIF's transparent pixels are black.
"""

from __future__ import annotations

from typing import Any

from dlcli import backend
from dlcli.data.pixels import PixelFormat
from dlcli.data.tensorflow_limits import BMP, GIF, JPEG, MAGIC, PNG
from dlcli.export.exif_graph import read_number, read_orientation, turn_upright
from dlcli.export.fit_graph import fit, share

MOST_PIXELS = 89_478_485
"""Pillow's limit: a picture whose header says more is refused before it is decoded."""

_DRAFTS = (8, 4, 2, 1)
"""What the JPEG decoder can divide both sides by, the largest first."""


def decode_pictures(contents: Any, pixel_format: PixelFormat) -> Any:
    """Encoded pictures, a string tensor (B,) -> uint8 (B, H, W, C), 0-255.

    A picture that is too large, damaged or of another format fails its whole batch with an
    InvalidArgumentError that says so.
    """
    tf = backend.tensorflow()
    shape = pixel_format.shape
    return tf.map_fn(
        lambda content: _decode(content, pixel_format),
        contents,
        fn_output_signature=tf.TensorSpec(shape, tf.uint8),
    )


def _decode(content: Any, pixel_format: PixelFormat) -> Any:
    tf = backend.tensorflow()
    decoders = {JPEG: lambda: _jpeg(content, pixel_format)}
    decoders |= {PNG: lambda: _png(content), GIF: lambda: _gif(content)}
    decoders |= {BMP: lambda: _bmp(content)}
    begins = {magic: tf.equal(tf.strings.substr(content, 0, len(magic)), magic) for magic in MAGIC}
    upright = tf.case([(begins[magic], decoders[magic]) for magic in MAGIC], default=_refuse)
    upright.set_shape((None, None, 3))
    colors = _luma(upright) if pixel_format.color == "grayscale" else upright
    fitted = fit(tf.cast(colors, tf.float64), pixel_format)
    fitted.set_shape(pixel_format.shape)
    return tf.cast(fitted, tf.uint8)


def _refuse() -> Any:
    tf = backend.tensorflow()
    sentence = ["this is no picture that can be decoded here: only JPEG, PNG, GIF and BMP can."]
    with tf.control_dependencies([tf.debugging.Assert(tf.zeros((), tf.bool), sentence)]):
        return tf.zeros((1, 1, 3), tf.uint8)


def _limited(content: Any, height: Any, width: Any) -> Any:
    """The content, once the size that its header states is known to be allowed."""
    tf = backend.tensorflow()
    height, width = tf.cast(height, tf.int64), tf.cast(width, tf.int64)
    sound = (height > 0) & (width > 0) & (height * width <= MOST_PIXELS)
    sentence = ["a picture of", width, "x", height, "pixels; the limit is", MOST_PIXELS]
    with tf.control_dependencies([tf.debugging.Assert(sound, sentence)]):
        return tf.identity(content)


def _jpeg(content: Any, pixel_format: PixelFormat) -> Any:
    tf = backend.tensorflow()
    height, width, _ = tf.unstack(tf.image.extract_jpeg_shape(content))
    content = _limited(content, height, width)
    orientation = read_orientation(content)

    def decoded(ratio: int) -> Any:
        return lambda: tf.image.decode_jpeg(
            content, channels=3, ratio=ratio, dct_method="INTEGER_ACCURATE"
        )

    draft = _draft(height, width, orientation >= 5, pixel_format)
    return turn_upright(tf.switch_case(draft, [decoded(ratio) for ratio in _DRAFTS]), orientation)


def _draft(height: Any, width: Any, is_sideways: Any, pixel_format: PixelFormat) -> Any:
    """The place in `_DRAFTS` of the largest that leaves enough of a JPEG."""
    tf = backend.tensorflow()
    rows, columns = pixel_format.image_size
    rows, columns = tf.where(is_sideways, columns, rows), tf.where(is_sideways, rows, columns)
    if pixel_format.resize != "stretch":
        choose = tf.maximum if pixel_format.resize == "crop" else tf.minimum
        scale = choose(share(columns, width), share(rows, height))
        rows, columns = (
            tf.cast(tf.math.ceil(tf.cast(side, tf.float64) * scale), tf.int32)
            for side in (height, width)
        )
    divisor = tf.minimum(width // columns, height // rows)
    return tf.reduce_sum(tf.cast([divisor < ratio for ratio in _DRAFTS[:-1]], tf.int32))


def _png(content: Any) -> Any:
    tf = backend.tensorflow()
    width, height = (read_number(content, at, 4, is_little=False) for at in (16, 20))
    content = _limited(content, height, width)

    def over_white() -> Any:
        pixels = tf.cast(tf.image.decode_png(content, channels=4), tf.int32)
        colors, alpha = pixels[..., :3], pixels[..., 3:]
        return tf.cast((colors * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)

    # Greys of less than 8 bits would be given an alpha of 1, not 255.
    depth, kind = (read_number(content, at, 1, is_little=True) for at in (24, 25))
    few_greys = tf.equal(kind, 0) & (depth < 8)
    return tf.cond(few_greys, lambda: tf.image.decode_png(content, channels=3), over_white)


def _gif(content: Any) -> Any:
    tf = backend.tensorflow()
    width, height = (read_number(content, at, 2, is_little=True) for at in (6, 8))
    return tf.image.decode_gif(_limited(content, height, width))[0]


def _bmp(content: Any) -> Any:
    tf = backend.tensorflow()
    width, height = (read_number(content, at, 4, is_little=True) for at in (18, 22))
    height = tf.minimum(height, 2**32 - height)  # below zero where the first row is the top
    pixels = tf.image.decode_bmp(_limited(content, height, width))
    return tf.cond(
        tf.equal(tf.shape(pixels)[-1], 1),
        lambda: tf.image.grayscale_to_rgb(pixels[..., :1]),
        lambda: pixels[..., :3],
    )


def _luma(colors: Any) -> Any:
    """ITU-R 601, rounded as Pillow does; int32."""
    tf = backend.tensorflow()
    sums = tf.cast(colors, tf.int32) * tf.constant([19595, 38470, 7471], tf.int32)
    return (tf.reduce_sum(sums, axis=-1, keepdims=True) + 0x8000) // 0x10000
