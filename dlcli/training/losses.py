"""The loss of a spec: probabilities (B, K) against one-hot or mixed labels (B, K)."""

from __future__ import annotations

from typing import Any

from dlcli.backend import keras
from dlcli.spec.schema import TrainSpec


def make_loss(spec: TrainSpec) -> Any:
    """Cross-entropy or focal loss (Lin 2017), both with label smoothing (Szegedy 2016).

    The focal loss weighs each term of the cross-entropy with (1 - probability) ** gamma, so that
    what is known well already counts less; without the constant factor alpha, which is for
    `class_weights` to say. At gamma 0 it is the cross-entropy.
    """
    if isinstance(spec.loss, str):
        return keras.losses.CategoricalCrossentropy(label_smoothing=spec.label_smoothing)
    return keras.losses.CategoricalFocalCrossentropy(
        alpha=1.0, gamma=spec.loss.focal.gamma, label_smoothing=spec.label_smoothing
    )
