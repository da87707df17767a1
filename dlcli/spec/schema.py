"""The spec's keys, their types, ranges and defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

LEAST_IMAGE_SIZE, MOST_IMAGE_SIZE = 32, 1024


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


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SplitSpec(_Section):
    """Shares of val and test; used where the folder is not split already."""

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
    image_size: ImageSize = (224, 224)
    resize: Literal["crop", "pad", "stretch"] = "crop"
    split: SplitSpec = SplitSpec()
    unreadable: Literal["skip", "error"] = "skip"


class ModelSpec(_Section):
    """Which network, and where it begins."""

    backbone: Literal["efficientnet-lite0"] = "efficientnet-lite0"
    weights: Literal["imagenet"] = "imagenet"


class TrainSpec(_Section):
    """How it is trained."""

    effort: Literal["quick"] = "quick"


class Spec(_Section):
    """A whole spec; every key has a default."""

    data: DataSpec = DataSpec()
    model: ModelSpec = ModelSpec()
    train: TrainSpec = TrainSpec()
