"""A body on Keras, for the same answers where LiteRT cannot be had."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from dlcli.artifact import Artifact
from dlcli.models.model import body_of, open_model
from dlcli.runtime.head import Head


class KerasBody:
    """The body of an artefact, whose network ends with `head`; one call at a time.

    Raises:
        ResourceError: if the weights of its backbone are missing.
        DataError: if its network is damaged.
    """

    prefers_batches = True

    def __init__(self, artifact: Artifact, head: Head) -> None:
        self._model = body_of(open_model(artifact, head))
        self._lock = threading.Lock()
        self.num_features = int(self._model.output.shape[-1])

    def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 (B, H, W, C), 0-255 -> float32 (B, F)."""
        with self._lock:
            return np.asarray(self._model.predict_on_batch(pixels.astype(np.float32)), np.float32)
