"""A head: features -> probabilities, in NumPy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlcli.metrics.array_files import opened_arrays


@dataclass(frozen=True)
class Head:
    """A linear classifier behind a body.

    `weights` are float32 (F, K), `bias` float32 (K,); logits are divided by `temperature` (> 0)
    before the softmax (Guo 2017).
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    temperature: float = 1.0

    @property
    def size(self) -> int:
        """The number of weights and biases."""
        return int(self.weights.size + self.bias.size)

    @property
    def is_identity(self) -> bool:
        """Whether the features are the logits already, and these weights none of the network's."""
        rows, columns = self.weights.shape
        return rows == columns and np.array_equal(self.weights, np.eye(rows))

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 (B, F) -> float32 (B, K), before the temperature."""
        return features.astype(np.float32, copy=False) @ self.weights + self.bias

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 (B, F) -> float32 (B, K); rows sum to 1."""
        return softmax(self.logits(features) / self.temperature)

    def uncalibrated(self) -> Head:
        """The same head without its temperature."""
        return replace(self, temperature=1.0)

    def save(self, path: Path) -> None:
        """Writes weights, bias and temperature as .npz."""
        np.savez(path, weights=self.weights, bias=self.bias, temperature=self.temperature)


def softmax(logits: NDArray[np.floating]) -> NDArray[np.float32]:
    """Along the last axis, safe for large logits."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), np.float32)


def load_head(path: Path) -> Head:
    """Reads what `Head.save` wrote.

    Raises:
        DataError: if the file is missing or is no head.
    """
    with opened_arrays(path, "is no readable head") as arrays:
        return Head(arrays["weights"], arrays["bias"], float(arrays["temperature"]))
