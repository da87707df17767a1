"""A body: the part of a network that turns pixels into features."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Body(Protocol):
    """Pixels in, features out; safe to call from several threads at once."""

    num_features: int
    prefers_batches: bool
    """Whether it is at its best with several pictures at once, and not with several threads."""

    def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (B, H, W, C), 0-255 -> float32 (B, F)."""
