"""The stage plan: what is trained, for how long, at which rate. Needs no Keras."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dlcli.spec.schema import Spec

SMALL_PIXELS = 64
"""Pictures up to this size are trained in larger batches, and moved rather than turned."""

_BATCH_SIZE, _LARGE_BATCH_SIZE = 32, 64
_LEARNING_RATE = 1e-3
_FEWEST_BATCHES = 20

Augmentations = list[dict[str, Any] | str]


@dataclass(frozen=True)
class Stage:
    """One stage: `trainable` is "head" or "all"; the rest is None for a head, which is fitted to
    convergence."""

    name: str
    trainable: str
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None


def plan_stages(spec: Spec) -> tuple[Stage, ...]:
    """The stages that a resolved spec amounts to."""
    if spec.trains_head_only:
        return (Stage("head", "head"),)
    train = spec.train
    if train.batch_size == "auto" or train.learning_rate == "auto":
        raise ValueError("the spec is not resolved")
    return (Stage("all layers", "all", train.epochs, train.batch_size, train.learning_rate),)


def resolve_spec(spec: Spec, num_train: int) -> Spec:
    """The spec with what `auto` stands for written out, where layers are trained; `num_train`
    pictures are trained on, as the listing tells."""
    if spec.trains_head_only:
        return spec
    train = spec.train
    changed: dict[str, int | float] = {}
    if train.batch_size == "auto":
        changed["batch_size"] = _auto_batch_size(spec.data.image_size, num_train)
    if train.learning_rate == "auto":
        changed["learning_rate"] = _LEARNING_RATE
    augment = spec.augment
    if augment == "auto":
        augment = _auto_augment(spec.data.image_size)
    return spec.model_copy(update={"train": train.model_copy(update=changed), "augment": augment})


def _auto_batch_size(image_size: tuple[int, int], num_train: int) -> int:
    """Smaller for a small set, so that an epoch holds enough steps."""
    largest = _LARGE_BATCH_SIZE if max(image_size) <= SMALL_PIXELS else _BATCH_SIZE
    size = largest
    while size > 8 and num_train / size < _FEWEST_BATCHES:
        size //= 2
    return size


def _auto_augment(image_size: tuple[int, int]) -> Augmentations:
    """What leaves the class of nearly every picture alone."""
    shift = {
        "height_factor": 0.05,
        "width_factor": 0.05,
        "fill_mode": "nearest",
        "interpolation": "nearest",
    }
    augment: Augmentations = [{"random_flip": "horizontal"}, {"random_translation": shift}]
    if max(image_size) > SMALL_PIXELS:
        augment += [{"random_rotation": 0.04}, {"random_zoom": 0.15}]
    return augment


def describe_plan(spec: Spec, stages: tuple[Stage, ...]) -> Iterator[str]:
    """The plan in a few words, a stage each."""
    for stage in stages:
        if stage.trainable == "head":
            yield "a head on the features of the frozen body"
        else:
            augment = spec.augment if isinstance(spec.augment, list) else []
            names = [item if isinstance(item, str) else next(iter(item)) for item in augment]
            seen = f"; augmented by {', '.join(names)}" if names else ""
            yield (
                f"all layers for up to {stage.epochs} epochs, {stage.batch_size} pictures a step, "
                f"learning rate {stage.learning_rate:g}{seen}"
            )
