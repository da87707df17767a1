"""The stage plan: what is trained, for how long, at which rate. Needs no Keras."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from dlcli.artifact import AVERAGE
from dlcli.spec.schema import Spec, StageSpec, TrainSpec
from dlcli.training.expected import Work

SMALL_PIXELS = 64
"""Pictures up to this size are trained in larger batches, and moved rather than turned."""

_BATCH_SIZE, _LARGE_BATCH_SIZE = 32, 64
_LEARNING_RATE, _FINE_RATE, _FINE_RATE_OF_ALL = 1e-3, 5e-4, 1e-4
_LAYER_DECAY = 1.0
TESTED_RATES = 48
"""The steps of a range test, each at a rate of its own."""

_MOST_FOR_TEST = 1 / 8
"""A range test takes at most this share of the steps of its stage."""

_LAST_BLOCKS, _EPOCHS, _MANY_VIEWS = 3, 12, 12
_FEWER = ((12, 4), (8, 2), (4, 2), (3, 1))
"""Epochs and views of the last blocks, from the most that pays to the least."""

BALANCED_SECONDS = 240
"""What the layers below the head may take for a balanced effort, on a CPU."""

FEWEST_FOR_ALL = 100
FEWEST_FOR_BLOCKS = 1000
"""With fewer training pictures the last blocks learn them by heart: on 510 photos of ten kinds of
clothes three minutes of it gave no more than the head had reached in seconds."""

HEAD: Literal["head"] = "head"
ALL: Literal["all"] = "all"
_FEWEST_BATCHES = 20

Augmentations = list[dict[str, Any] | str]


@dataclass(frozen=True)
class Stage:
    """One stage: `trainable` is "head", "all", or how many of the last blocks. The rest is for
    layers: a head is fitted to convergence; `views` belongs to last blocks. `layer_decay` times the
    learning rate of a block is that of the block below it; with `tests_rate` the rate is sought
    around `learning_rate`."""

    name: str
    trainable: str | int
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    views: int | None = None
    layer_decay: float = 1.0
    tests_rate: bool = False


_HEADS = {
    "average": "a head on the features of the frozen body",
    "layout": "a head on the features of the frozen body and of a grid over it",
    "auto": "a head on the features of the frozen body, and of a grid over it where that helps",
}
_HEAD_STAGE = Stage("head", HEAD)


def plan_stages(spec: Spec) -> tuple[Stage, ...]:
    """The stages that a resolved spec amounts to; a body that comes trained gets its head first."""
    train = spec.train
    if spec.trains_head_only:
        return (_HEAD_STAGE,)
    if isinstance(train.stages, str) or train.batch_size == "auto":
        raise ValueError("the spec is not resolved")
    is_trained = spec.begins_trained
    stages = [
        _stage(one, train.batch_size, begins_trained=is_trained)
        for one in train.stages
        if one.trainable != HEAD
    ]
    return (_HEAD_STAGE, *stages) if is_trained else tuple(stages)


def _stage(stage: StageSpec, batch_size: int, *, begins_trained: bool) -> Stage:
    rate, decay = stage.learning_rate, stage.layer_decay
    tests_rate = rate == "auto"
    if decay == "auto" or (tests_rate and not begins_trained):
        raise ValueError("the spec is not resolved")
    rate = _usual_rate(stage, begins_trained=begins_trained) if rate == "auto" else rate
    recipe = (stage.epochs, batch_size, rate)
    if isinstance(stage.trainable, str):
        return Stage("all layers", ALL, *recipe, layer_decay=decay, tests_rate=tests_rate)
    last = stage.trainable["last"]
    name = f"last {last} blocks" if last > 1 else "last block"
    return Stage(name, last, *recipe, stage.views, decay, tests_rate)


def resolve_spec(spec: Spec, num_train: int, *, has_gpu: bool = False, scale: float = 1.0) -> Spec:
    """The spec with what `auto` stands for written out, where layers are trained; `num_train`
    pictures are trained on, as the listing tells, and `scale` is that of `expected.Work`. A
    learning rate that is to be found by a range test stays `auto`: it is found again each time."""
    train = spec.train
    stages = train.stages
    if spec.trains_head_only:
        return spec if not isinstance(stages, str) else _quick(spec)
    if isinstance(stages, str):
        stages = _auto_stages(spec, Work(num_train, num_train, scale), has_gpu=has_gpu)
    train = train.model_copy(update={"stages": [_resolved(one, spec, num_train) for one in stages]})
    spec = spec.model_copy(update={"train": train})
    if spec.trains_head_only:
        return spec
    changed: dict[str, Any] = {}
    if train.batch_size == "auto":
        changed["batch_size"] = _auto_batch_size(spec, num_train)
    if train.learning_rate == "auto" and not spec.begins_trained:
        changed["learning_rate"] = _LEARNING_RATE
    augment = spec.augment
    if augment == "auto":
        augment = _auto_augment(spec.data.image_size)
    return spec.model_copy(update={"train": train.model_copy(update=changed), "augment": augment})


def _quick(spec: Spec) -> Spec:
    """The spec of the quickest training, which tries nothing beyond the plain features."""
    train = spec.train.model_copy(update={"effort": "quick"})
    model = spec.model
    if model.pooling == "auto":
        model = model.model_copy(update={"pooling": AVERAGE})
    return spec.model_copy(update={"train": train, "model": model})


def mirrors(spec: Spec) -> bool:
    """Whether a picture's mirror image is of its class, as far as the spec says."""
    if isinstance(spec.augment, str):
        return spec.augment == "auto"
    flips = (item for item in spec.augment if _flip_of(item) is not None)
    return any(_flip_of(flip) != "vertical" for flip in flips)


def _flip_of(item: dict[str, Any] | str) -> str | None:
    """The mode of a random flip; None for another layer."""
    name, arguments = (item, None) if isinstance(item, str) else next(iter(item.items()))
    if name.replace("_", "").lower() != "randomflip":
        return None
    mode = arguments.get("mode") if isinstance(arguments, dict) else arguments
    return str(mode or "horizontal_and_vertical")


def _auto_stages(spec: Spec, work: Work, *, has_gpu: bool) -> list[StageSpec]:
    """What an effort may spend. From nothing there is one way; below a trained head the last blocks
    are trained where there are enough pictures for them to learn from, and all layers where a GPU
    makes that cheap or no time is spared."""
    head = StageSpec(trainable=HEAD)
    given = spec.train.epochs
    if not spec.begins_trained:
        return [StageSpec(trainable=ALL, epochs=given)]
    epochs = given if given != TrainSpec().epochs else None
    whole = StageSpec(trainable=ALL, epochs=epochs or _EPOCHS)
    if spec.train.effort == "best":
        if work.num_train < FEWEST_FOR_ALL:
            return [head]
        return [head, _last_blocks(epochs or _EPOCHS, _MANY_VIEWS), whole]
    if work.num_train < FEWEST_FOR_BLOCKS:
        return [head]
    if has_gpu:
        return [head, whole]
    pays = (
        _last_blocks(epochs or number, views)
        for number, views in _FEWER
        if work.blocks_seconds(epochs or number, views) <= BALANCED_SECONDS
    )
    return [head, *islice(pays, 1)]


def _last_blocks(epochs: int, views: int) -> StageSpec:
    return StageSpec(trainable={"last": _LAST_BLOCKS}, epochs=epochs, views=views)


def reason_of(asked: Spec, spec: Spec, num_train: int) -> str:
    """Why `auto` has become the stages of the resolved `spec`; empty where nothing was `auto`."""
    if not isinstance(asked.train.stages, str) or not asked.begins_trained:
        return ""
    if asked.trains_head_only:
        return "as effort quick or an int8 body asks"
    if not spec.trains_head_only:
        return f"as effort {asked.train.effort} allows"
    fewest = FEWEST_FOR_ALL if asked.train.effort == "best" else FEWEST_FOR_BLOCKS
    if num_train < fewest:
        return f"{num_train} training pictures are too few for the layers below, from {fewest} on"
    return "the layers below would take more than a few minutes: effort best trains them"


def _resolved(stage: StageSpec, spec: Spec, num_train: int) -> StageSpec:
    """With its learning rate: that of the spec, the usual one, or `auto` where it is tested."""
    if stage.trainable == HEAD:
        return stage
    found: dict[str, Any] = {}
    if stage.learning_rate == "auto":
        rate = spec.train.learning_rate
        if rate == "auto" and not _pays_for_test(stage, spec, num_train):
            rate = _usual_rate(stage, begins_trained=spec.begins_trained)
        found["learning_rate"] = rate
    if stage.layer_decay == "auto":
        found["layer_decay"] = _LAYER_DECAY
    return stage.model_copy(update=found)


def _usual_rate(stage: StageSpec, *, begins_trained: bool) -> float:
    """What suits weights that are new, or trained."""
    if not begins_trained:
        return _LEARNING_RATE
    return _FINE_RATE_OF_ALL if stage.trainable == ALL else _FINE_RATE


def _pays_for_test(stage: StageSpec, spec: Spec, num_train: int) -> bool:
    """Whether the learning rate of a stage is sought by a range test: below a trained head, where
    the test takes a small share of the stage's steps, dear ones or not. Where the time is limited,
    all of it is for the stage."""
    if not spec.begins_trained or spec.train.max_time != "none":
        return False
    given = spec.train.batch_size
    batch_size = _auto_batch_size(spec, num_train) if given == "auto" else given
    num_steps = stage.epochs * -(-num_train // batch_size)
    return num_steps * _MOST_FOR_TEST >= TESTED_RATES


def _auto_batch_size(spec: Spec, num_train: int) -> int:
    """Smaller for a small set where all has to be learned, so that an epoch holds enough steps."""
    is_small = max(spec.data.image_size) <= SMALL_PIXELS
    size = _LARGE_BATCH_SIZE if is_small else _BATCH_SIZE
    while size > 8 and num_train / size < _FEWEST_BATCHES and not spec.begins_trained:
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
    """The plan in a few words, a stage each; the first that sees augmented pictures says how."""
    augment = spec.augment if isinstance(spec.augment, list) else []
    names = [item if isinstance(item, str) else next(iter(item)) for item in augment]
    seen = f"; augmented by {', '.join(names)}" if names else ""
    for stage in stages:
        if stage.trainable == HEAD:
            yield _HEADS[spec.model.pooling]
            continue
        tested = "by a range test around " if stage.tests_rate else ""
        how = (
            f"{stage.epochs} epochs, {stage.batch_size} pictures a step, "
            f"learning rate {tested}{stage.learning_rate:g}"
        )
        if stage.layer_decay != 1:
            how += f", {stage.layer_decay:g} times that with each block further down"
        if stage.trainable != ALL:
            what = f"the {stage.name}" if stage.trainable != 1 else "the last block"
            yield f"{what} from kept activations of {stage.views} views for {how}{seen}"
        else:
            up_to = "" if spec.begins_trained else "up to "
            yield f"all layers for {up_to}{how}{seen}"
        seen = ""
