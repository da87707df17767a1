"""What of a stage below a head can be begun in the time that is left."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from dlcli import backend
from dlcli.backend import Model, keras
from dlcli.data.dataset import Dataset
from dlcli.training.keeper import Keeper
from dlcli.training.stages import ALL, Stage

_NUM_MEASURED = 16
_START, _CONVERSION = 8.0, 8.0
"""Seconds until the first step is over, and for the conversion of a trained body."""

_FINISHING_SHARE = 0.7
"""LiteRT takes less time for a picture than Keras does."""

_BACKWARD = 3
"""A step forward and backward takes three times as long as one forward."""

_LEAST_SHARE_OF_EPOCH = 0.25
"""With less than this of an epoch of all layers nothing is learned that lasts."""


def stage_within_time(dataset: Dataset, below: Model, stage: Stage, keeper: Keeper) -> Stage | None:
    """The stage with as many views as there is time for; None where it cannot be begun. `below` is
    the frozen part of the network, or all of it. Half of the time is for the frozen part, the rest
    for the epochs; how many of those are for `Pace` to say."""
    sizes = dataset.num_images()
    each = _seconds_a_picture(below)
    num_images = sizes["train"] + sizes["val"] + sizes["test"]
    keeper.finishing = _CONVERSION + num_images * each * _FINISHING_SHARE
    left = keeper.seconds_to_train - _START
    if stage.trainable == ALL:
        least = sizes["train"] * each * _BACKWARD * _LEAST_SHARE_OF_EPOCH
        return stage if left > least else None
    views = int((left / 2 - sizes["val"] * each) / (sizes["train"] * each))
    return replace(stage, views=min(stage.views or 1, views)) if views >= 1 else None


def _seconds_a_picture(model: Model) -> float:
    seen = keras.Model(model.input, model.output)
    seen.compile(jit_compile=backend.jit_compile())
    pixels = np.zeros((_NUM_MEASURED, *model.input_shape[1:]), np.float32)
    seen.predict_on_batch(pixels)
    began = time.monotonic()
    seen.predict_on_batch(pixels)
    return (time.monotonic() - began) / _NUM_MEASURED
