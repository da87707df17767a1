"""The optimizer of a spec and its learning rate over the steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dlcli.backend import keras
from dlcli.models.layers import first_line
from dlcli.spec.optimizers import read_optimizer
from dlcli.spec.schema import TrainSpec
from dlcli.spec.walk import MisfitError
from dlcli.training.layer_rates import with_shares
from dlcli.training.stages import Stage

_NEVER_DECAYED = ("bias", "beta", "gamma")
"""Weight decay is for what multiplies: biases and normalization are left out, as is usual."""


@dataclass(frozen=True)
class _Hill:
    """A rate that rises in a line and falls as a cosine: shares of the steps and of the rate."""

    rising: float
    first: float
    last: float


_HILLS = {
    "cosine": _Hill(rising=0.05, first=0.01, last=0.0),
    "one_cycle": _Hill(rising=0.3, first=0.04, last=1e-4),
}


def make_optimizer(
    spec: TrainSpec,
    stage: Stage,
    num_steps: int,
    shares: Sequence[float] = (),
    *,
    rate: Any = None,
) -> Any:
    """The optimizer of the spec with its schedule over the `num_steps` of a stage; `shares` are
    those of the learning rate that each variable has, none where all have the same. `rate` takes
    the place of the schedule.

    Raises:
        MisfitError: if Keras refuses an argument.
    """
    kind, arguments = read_optimizer(spec.optimizer)
    if spec.ema != "none":
        arguments |= {"use_ema": True, "ema_momentum": spec.ema}
    make = getattr(keras.optimizers, kind)
    if rate is None:
        rate = _learning_rate(spec, stage, num_steps)
    if any(share != 1 for share in shares):
        make = with_shares(make, shares)
    try:
        optimizer = make(learning_rate=rate, **arguments)
    except (ValueError, TypeError) as error:
        what = f"is refused by Keras: {first_line(error)}"
        raise MisfitError(("train", "optimizer"), what) from error
    optimizer.exclude_from_weight_decay(var_names=list(_NEVER_DECAYED))
    return optimizer


def _learning_rate(spec: TrainSpec, stage: Stage, num_steps: int) -> Any:
    """A number, or a Keras schedule.

    `cosine` rises for a twentieth of the steps and falls to 0 (Loshchilov & Hutter 2017);
    `one_cycle` rises for three tenths, from a 25th, and falls to nearly nothing (Smith & Topin
    2018; the rate alone: Keras' optimizers have one momentum); `exponential` is multiplied by
    `decay_rate` in each epoch, a little at every step.
    """
    schedules = keras.optimizers.schedules
    rate = float(stage.learning_rate or 0.0)
    if spec.schedule == "constant":
        return rate
    if not isinstance(spec.schedule, str):
        epoch_steps = max(1, num_steps // (stage.epochs or 1))
        return schedules.ExponentialDecay(rate, epoch_steps, spec.schedule.exponential.decay_rate)
    hill = _HILLS[spec.schedule]
    warm_up = int(num_steps * hill.rising)
    return schedules.CosineDecay(
        rate * hill.first if warm_up else rate,
        max(1, num_steps - warm_up),
        alpha=hill.last,
        warmup_target=rate if warm_up else None,
        warmup_steps=warm_up,
    )
