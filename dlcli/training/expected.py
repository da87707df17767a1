"""How long a training may take, before it has begun: what was measured of EfficientNet-Lite0 on two
cores, for other networks and machines in proportion. Needs no Keras."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.processor import num_threads

_MULTIPLY_ADDS = 384e6
"""Of EfficientNet-Lite0 at 224 x 224."""

_FEATURES, _ACTIVATIONS = 300, 120
_LAST_BLOCKS, _ALL_LAYERS = 150, 28
_READING = 300
"""Pictures a second: through the body (LiteRT), through what is below the last blocks, forward and
backward through these and through all layers (Keras), and from the disk."""

_START, _CONVERSION = 8.0, 10.0
"""Seconds until Keras is there with a network and its first step; for a trained body to be
converted."""


@dataclass(frozen=True)
class Work:
    """What is trained: `scale` is how many times the arithmetic of EfficientNet-Lite0 at
    224 x 224 one picture takes."""

    num_train: int
    num_images: int
    scale: float = 1.0

    @property
    def head_seconds(self) -> float:
        """To read the pictures, run the body over them and fit a head."""
        return 2 + self.num_images * (1 / _READING + self._cost / _FEATURES)

    def blocks_seconds(self, epochs: int, views: int) -> float:
        """To train the last blocks from kept activations."""
        pictures = epochs / _LAST_BLOCKS + views / _ACTIVATIONS
        return self._finishing + self.num_train * self._cost * pictures

    def all_seconds(self, epochs: int) -> float:
        """To train all layers."""
        return self._finishing + self.num_train * self._cost * epochs / _ALL_LAYERS

    @property
    def _finishing(self) -> float:
        return _START + _CONVERSION + self.num_images * self._cost / _FEATURES

    @property
    def _cost(self) -> float:
        """How many times the time of Lite0 on two cores."""
        return self.scale * 2 / num_threads()


def scale_of(multiply_adds: int, native: tuple[int, int], image_size: tuple[int, int]) -> float:
    """The `scale` of a backbone that takes so many multiply-adds for a picture of its native size,
    for pictures of `image_size`."""
    (height, width), (own_height, own_width) = image_size, native
    return multiply_adds / _MULTIPLY_ADDS * (height * width) / (own_height * own_width)


def in_words(seconds: float) -> str:
    """About how long: `about 40 s`, `about 4 min`, `about 3 h`."""
    if seconds < 95:
        return f"about {max(5, round(seconds / 5) * 5):d} s"
    if seconds < 95 * 60:
        return f"about {round(seconds / 60):d} min"
    return f"about {round(seconds / 3600):d} h"
