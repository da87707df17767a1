"""What `train.stages` may list."""

from __future__ import annotations

from collections.abc import Iterator

from dlcli.spec.faults import Fault, Location
from dlcli.spec.schema import Spec, StageSpec

STAGES: Location = ("train", "stages")
_OF_LAYERS = ("epochs", "learning_rate", "layer_decay", "views")
_OF_VIEWS = ("views",)


def check_stages(spec: Spec) -> Iterator[Fault]:
    """Stages that the network cannot have, and settings of them that would do nothing."""
    stages = spec.train.stages
    if isinstance(stages, str):
        return
    if not spec.begins_trained and [stage.trainable for stage in stages] != ["all"]:
        what = (
            "must be one stage, {trainable: all}, where the network begins with random weights "
            "or has model.layers"
        )
        yield Fault(STAGES, what)
        return
    if not spec.begins_trained and stages[0].layer_decay not in ("auto", 1):
        what = "has no effect where the network begins with random weights: all blocks are new"
        yield Fault((*STAGES, 0, "layer_decay"), what)
    epochs = {stage.epochs for stage in stages if stage.trainable != "head"}
    default = type(spec.train)().epochs
    if epochs and spec.train.epochs not in (default, *epochs):
        yield Fault(("train", "epochs"), "has no effect beside train.stages, which have their own")
    for number, stage in enumerate(stages):
        yield from _check_stage(stage, number)


def _check_stage(stage: StageSpec, number: int) -> Iterator[Fault]:
    location = (*STAGES, number)
    if stage.trainable == "head":
        if number:
            yield Fault(location, "must come first: a head is fitted before the layers below it")
        for key in _differing(stage, _OF_LAYERS):
            what = "has no effect on a head, which is fitted to convergence"
            yield Fault((*location, key), what)
    elif stage.trainable == "all":
        for key in _differing(stage, _OF_VIEWS):
            what = (
                "has no effect where all layers are trained: each epoch sees the pictures "
                "augmented anew"
            )
            yield Fault((*location, key), what)


def _differing(stage: StageSpec, keys: tuple[str, ...]) -> Iterator[str]:
    default = StageSpec(trainable=stage.trainable)
    return (key for key in keys if getattr(stage, key) != getattr(default, key))
