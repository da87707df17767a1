"""The spec's keys, their types, ranges and defaults.

What a list of layers, of augmentations or an optimizer may hold is checked against the vocabulary
(`layers.py`, `loader.py`); what one setting asks of another by `rules.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from dlcli.spec.faults import shown

LEAST_IMAGE_SIZE, MOST_IMAGE_SIZE = 8, 1024
MOST_LEARNING_RATE, MOST_BATCH_SIZE = 1e6, 65_536
DEFAULT_BACKBONE = "efficientnet-lite0"
WEIGHT_SUFFIXES = (".keras", ".h5")
TAGS = (WORD, OTHER) = ("<word>", "<map or list>")
"""Where a setting may be a word or something else pydantic puts one of these into locations."""


def _height_and_width(value: object) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int) else value
    if isinstance(pair, list | tuple) and len(pair) == 2:
        height, width = pair
        if all(type(side) is int and LEAST_IMAGE_SIZE <= side <= MOST_IMAGE_SIZE for side in pair):
            return height, width
    raise ValueError(
        "must be a whole number of pixels or [height, width], "
        f"{LEAST_IMAGE_SIZE}-{MOST_IMAGE_SIZE}, got {value!r}"
    )


ImageSize = Annotated[tuple[int, int], BeforeValidator(_height_and_width)]
"""(height, width) in pixels; one number means a square."""


def _word_or(
    words: str | tuple[str, ...], kind: str, is_valid: Callable[[Any], bool]
) -> BeforeValidator:
    """Lets a word pass, and a value of the `kind` that `is_valid` knows."""
    known = (words,) if isinstance(words, str) else words

    def check(value: Any) -> Any:
        if value in known or is_valid(value):
            return value
        raise ValueError(f"must be {', '.join(known)} or {kind}, got {shown(value)}")

    return BeforeValidator(check)


def _is_count(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MOST_BATCH_SIZE


def _is_rate(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value <= MOST_LEARNING_RATE


def _is_momentum(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < 1


def _is_share(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value <= 1


def _is_duration(value: Any) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"(\d+(\.\d+)?[hms])+", value))


def seconds_of(duration: str) -> float | None:
    """`10m` or `1h30m` in seconds; None for `none`."""
    if duration == "none":
        return None
    units = {"h": 3600, "m": 60, "s": 1}
    found = re.findall(r"(\d+(?:\.\d+)?)([hms])", duration)
    return sum(float(number) * units[unit] for number, unit in found)


def _is_last(value: Any) -> bool:
    return isinstance(value, dict) and list(value) == ["last"] and _is_count(value["last"])


LearningRate = Annotated[
    float | Literal["auto"],
    _word_or("auto", f"a number above 0 and up to {MOST_LEARNING_RATE:,.0f}", _is_rate),
]
BatchSize = Annotated[
    int | Literal["auto"],
    _word_or("auto", f"a whole number from 1 to {MOST_BATCH_SIZE:,}", _is_count),
]
_WORD_OR_NOT = Discriminator(lambda value: WORD if isinstance(value, str) else OTHER)


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class SplitSpec(_Section):
    """Shares of val and test; used where neither the folder nor `split_from` says them."""

    val: float = Field(0.15, gt=0, lt=1)
    test: float = Field(0.15, ge=0, lt=1)
    seed: int = Field(0, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _leave_some_for_training(self) -> SplitSpec:
        if self.val + self.test >= 1:
            both = self.val + self.test
            raise ValueError(f"must leave some for training, but val + test is {both:g}")
        return self


class DataSpec(_Section):
    """Which pictures, and how they are read."""

    folder: Path | None = Field(None, strict=False)
    """The folder of class folders, or a manifest (.csv), counted from the spec's own folder."""
    exclude: Path | None = Field(None, strict=False)
    """A file that says which pictures to leave out: a path a line, or what `check --json` printed;
    counted from the spec's own folder."""
    image_size: ImageSize = (224, 224)
    """Pixels: one number, or [height, width]."""
    resize: Literal["crop", "pad", "stretch"] = "crop"
    color: Literal["rgb", "grayscale"] = "rgb"
    split: SplitSpec = SplitSpec()
    split_from: str | None = None
    """A run whose split is used again: pictures that were added go to train."""
    unreadable: Literal["skip", "error"] = "skip"


class ModelSpec(_Section):
    """Which network, and where it begins: a backbone, or a list of layers."""

    backbone: str | None = DEFAULT_BACKBONE
    """A name that `dlcli models` lists; none where `layers` are given."""
    weights: str = "imagenet"
    """imagenet, random, a run, or a .keras or .weights.h5 file."""
    body: Literal["float32", "int8"] = "float32"
    """int8 (where only a head is trained): a third of the size, and faster where the processor
    multiplies int8."""
    pooling: Literal["auto", "average", "layout"] = "auto"
    """The features of a backbone: their average over the picture, or with it those of a grid of
    3 x 3 cells, which tell where things are; auto tries the grid where val leaves room."""
    dropout: float = Field(0.2, ge=0, lt=1)
    """The share of features dropped before the classifier while a backbone is trained."""
    layers: list[Any] | None = None
    """A network of one's own, instead of a backbone."""

    @property
    def begins_with_run(self) -> bool:
        """Whether the weights are those of an earlier run."""
        named = self.weights in ("imagenet", "random")
        return not named and not self.weights.endswith(WEIGHT_SUFFIXES)


class StageSpec(_Section):
    """One stage of a training."""

    trainable: Annotated[
        Literal["head", "all"] | dict[Literal["last"], Annotated[int, Field(ge=1)]],
        _word_or(("head", "all"), "{last: N}", _is_last),
    ]
    epochs: int = Field(10, ge=1, le=100_000)
    learning_rate: LearningRate = "auto"
    layer_decay: Annotated[
        float | Literal["auto"],
        _word_or("auto", "a number above 0 and up to 1", _is_share),
    ] = "auto"
    """The learning rate of each block of a trained body, as a share of that of the block above it,
    the classifier's being `learning_rate`."""
    views: int = Field(4, ge=1, le=64)
    """How many augmented views of each picture the frozen layers are run on, and kept, where only
    the last blocks are trained."""


class _ExponentialSpec(_Section):
    """The learning rate shrinks by `decay_rate` an epoch."""

    decay_rate: float = Field(0.9, gt=0, le=1)


class _ScheduleMap(_Section):
    exponential: _ExponentialSpec


class _FocalSpec(_Section):
    """Focal loss (Lin 2017)."""

    gamma: float = Field(2.0, ge=0)


class _LossMap(_Section):
    focal: _FocalSpec


class _MixMap(_Section):
    """MixUp (Zhang 2018) or CutMix (Yun 2019), with its alpha."""

    mixup: float | None = Field(None, gt=0)
    cutmix: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _is_one(self) -> _MixMap:
        if (self.mixup is None) == (self.cutmix is None):
            raise ValueError("must be none, {mixup: ALPHA} or {cutmix: ALPHA}")
        return self


class EarlyStoppingSpec(_Section):
    """Ends a training that no longer gets better on val."""

    monitor: Literal["val_loss", "val_accuracy"] = "val_loss"
    patience: int = Field(5, ge=1)
    """The epochs to wait for something better."""


_Weight = Annotated[float, Field(gt=0)]


class TrainSpec(_Section):
    """How it is trained."""

    effort: Literal["quick", "balanced", "best"] = "balanced"
    """What `stages: auto` may spend: seconds, minutes, or what it takes."""
    stages: Annotated[
        Annotated[Literal["auto"], Tag(WORD)]
        | Annotated[list[StageSpec], Field(min_length=1), Tag(OTHER)],
        _WORD_OR_NOT,
    ] = "auto"
    epochs: int = Field(30, ge=1, le=100_000)
    batch_size: BatchSize = "auto"
    optimizer: Annotated[
        Annotated[str, Tag(WORD)] | Annotated[dict[str, Any], Tag(OTHER)], _WORD_OR_NOT
    ] = "adamw"
    """A Keras optimizer's name, or a map of it: {sgd: {momentum: 0.9, nesterov: true}}."""
    learning_rate: LearningRate = "auto"
    schedule: Annotated[
        Annotated[Literal["cosine", "constant", "one_cycle"], Tag(WORD)]
        | Annotated[_ScheduleMap, Tag(OTHER)],
        _WORD_OR_NOT,
    ] = "cosine"
    loss: Annotated[
        Annotated[Literal["cross_entropy"], Tag(WORD)] | Annotated[_LossMap, Tag(OTHER)],
        _WORD_OR_NOT,
    ] = "cross_entropy"
    label_smoothing: float = Field(0.1, ge=0, lt=1)
    class_weights: Annotated[
        Annotated[Literal["none", "balanced"], Tag(WORD)]
        | Annotated[dict[str, _Weight], Tag(OTHER)],
        _WORD_OR_NOT,
    ] = "none"
    mix: Annotated[
        Annotated[Literal["none"], Tag(WORD)] | Annotated[_MixMap, Tag(OTHER)],
        _WORD_OR_NOT,
    ] = "none"
    early_stopping: Annotated[
        Annotated[Literal["none"], Tag(WORD)] | Annotated[EarlyStoppingSpec, Tag(OTHER)],
        _WORD_OR_NOT,
    ] = EarlyStoppingSpec()
    ema: Annotated[
        float | Literal["none"],
        _word_or("none", "a momentum between 0 and 1", _is_momentum),
    ] = "none"
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    seed: int = Field(0, ge=0, lt=2**32)
    max_time: Annotated[str, _word_or("none", "a time such as 10m or 1h30m", _is_duration)] = "none"


class Spec(_Section):
    """A whole spec; every key has a default."""

    data: DataSpec = DataSpec()
    model: ModelSpec = ModelSpec()
    augment: Annotated[
        Annotated[Literal["auto", "none"], Tag(WORD)] | Annotated[list[Any], Tag(OTHER)],
        _WORD_OR_NOT,
    ] = "auto"
    """auto, none, or a list of Keras image layers; at work while training only."""
    train: TrainSpec = TrainSpec()

    @property
    def begins_trained(self) -> bool:
        """Whether a body comes with trained weights, below a head that is new: a backbone, or what
        an earlier run trained."""
        return self.model.layers is None and self.model.weights != "random"

    @property
    def trains_head_only(self) -> bool:
        """Whether the body surely stays as its weights made it."""
        if not self.begins_trained:
            return False
        train = self.train
        if isinstance(train.stages, str):
            return train.effort == "quick" or self.model.body == "int8"
        return all(stage.trainable == "head" for stage in train.stages)
