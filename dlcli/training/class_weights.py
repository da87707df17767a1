"""How much the mistakes on each class count: `train.class_weights` as numbers. Needs no Keras.

Weights are at work wherever a loss chooses: in the steps of a training, in the choice of its best
epoch (`val_loss`), of a head's penalty and of mirror images. A temperature is fitted without them:
it changes no answer, and says how often answers are right on pictures as they come.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dlcli.spec.faults import Fault, nearest

ClassWeights = str | Mapping[str, float]
"""`none`, `balanced`, or the weights of some classes by name; the others weigh 1."""
Weights = NDArray[np.float32]

_KEY = ("train", "class_weights")


def class_weight_faults(setting: ClassWeights, class_names: Sequence[str]) -> list[Fault]:
    """Every name that is no class of the folder."""
    if isinstance(setting, str):
        return []
    return [
        Fault((*_KEY, name), f"is no class of this folder.{nearest(name, class_names)}")
        for name in setting
        if name not in class_names
    ]


def class_weights_of(
    setting: ClassWeights, class_names: Sequence[str], labels: NDArray[np.int64]
) -> Weights | None:
    """The weight of each class, float32 (K,), or None where all weigh alike.

    `balanced` is N / (K * count) as in scikit-learn (King & Zeng 2001), from the `labels` (N,) that
    are trained on: every class counts as much as every other, and a picture 1 on average.
    """
    if setting == "none":
        return None
    if isinstance(setting, str):
        counts = np.bincount(labels, minlength=len(class_names))
        return (len(labels) / (len(class_names) * np.maximum(counts, 1))).astype(np.float32)
    return np.array([setting.get(name, 1.0) for name in class_names], np.float32)
