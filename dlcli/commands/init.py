"""dlcli init: a commented spec, fitted to a folder or a manifest."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from dlcli.errors import UsageError
from dlcli.events import Reporter, Said

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from dlcli.data.census import Census
    from dlcli.data.index import DatasetIndex

DEFAULT_TEMPLATE = "transfer"
SMALL_TEMPLATE = "scratch"
SMALL_SIDE = 64
FROM_NOTHING: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"scratch": (28, SMALL_SIDE), "vgg16": (32, 224), "resnet18": (32, 224), "resnet152": (32, 224)}
)
"""The templates that train from nothing, and the least and the most side of their pictures."""

REFERENCE_TRAINING, REFERENCE_EPOCHS = 51_000, 9
FEWEST_EPOCHS, MOST_EPOCHS = 8, 100


@dataclass(frozen=True)
class InitOptions:
    """What was typed; `folder` may be a manifest, None keeps the template's example; `template`
    None lets the pictures choose."""

    folder: Path | None
    output: Path
    template: str | None = None
    force: bool = False


@dataclass(frozen=True)
class InitResult:
    """The spec that was written, and what was found in the folder.

    `image_size` (height, width) and `color` are what the spec says, `image_size` None where it
    does not. `reason` is a sentence on the pictures and the choice, empty without a folder.
    """

    output: Path
    template: str
    classes: tuple[str, ...]
    num_images: int
    image_size: tuple[int, int] | None = None
    color: str = "rgb"
    reason: str = ""


def list_templates() -> dict[str, str]:
    """The name of each template and the first sentence of what it says."""
    templates = {}
    for path in _templates_folder().iterdir():
        if path.name.endswith(".yaml"):
            lines = path.read_text(encoding="utf-8").splitlines()
            comments = [line[1:].strip() for line in lines if line[:1] == "#"]
            about = " ".join(comments[2:]).split(". ")[0].split(": ")[0]
            templates[path.name.removesuffix(".yaml")] = about.rstrip(".")
    return dict(sorted(templates.items()))


def run(options: InitOptions, reporter: Reporter) -> InitResult:
    """Writes the spec.

    Raises:
        UsageError: for an unknown template, a folder that is not there, or a file that is.
        DataError: for a folder without pictures, or a faulty manifest.
    """
    from dlcli.runs.files import write_text

    if options.template is not None:
        _require_template(options.template)
    if options.output.exists() and not options.force:
        raise UsageError(
            "this file is there already.",
            where=str(options.output),
            fix="Overwrite it with --force, or name another with -o.",
        )
    if options.folder is None:
        template = options.template or DEFAULT_TEMPLATE
        text = _read_template(template)
        found = InitResult(options.output, template, (), 0, *_pixels_of(text))
    else:
        text, found = _fit_to_folder(options.folder, options, reporter)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    write_text(options.output, text)
    return found


def _fit_to_folder(
    folder: Path, options: InitOptions, reporter: Reporter
) -> tuple[str, InitResult]:
    from dlcli.data.announce import announce_columns, announce_skipped
    from dlcli.data.census import take_census
    from dlcli.data.index import index_dataset

    index = index_dataset(folder)
    num_images, names = len(index.files), index.class_names
    counts = ", ".join(f"{name} {count}" for name, count in list(index.counts().items())[:8])
    reporter.report(Said(f"{num_images} pictures in {len(names)} classes: {counts}"))
    announce_columns(index, reporter)
    announce_skipped(index.skipped, reporter)
    census = take_census(index.folder, [file.path for file in index.files])
    reason = explain(census, options.template)
    reporter.report(Said(reason))
    template = options.template or choose_template(census)
    text = fit_template(_read_template(template), template, census, count_training(index))
    text = set_key(text, "folder", _yaml_path(folder, options.output))
    found = InitResult(
        options.output, template, names, num_images, *_pixels_of(text), reason=reason
    )
    return text, found


def choose_template(census: Census) -> str:
    """The template for pictures like these: small ones show too little for a network trained on
    photos of 224 pixels, and training on them from nothing is cheap."""
    is_small = min(census.height, census.width) <= SMALL_SIDE
    return SMALL_TEMPLATE if census.num_looked_at and is_small else DEFAULT_TEMPLATE


def explain(census: Census, template: str | None) -> str:
    """What the pictures are like and what follows; `template` is the one that was typed."""
    if not census.num_looked_at:
        return "no picture could be read, so nothing is fitted to them"
    color = "grey" if census.is_grey else "in colour"
    seen = f"{census.height} x {census.width} px, {color}"
    if template in FROM_NOTHING:
        return f"{seen}: {template} trains from nothing"
    if choose_template(census) == DEFAULT_TEMPLATE:
        return f"{seen}: it builds on a network trained on photos"
    if template is None:
        return f"{seen}: too small for a network trained on photos, so it trains from nothing"
    return (
        f"{seen}: small for a network trained on photos; "
        f"--template {SMALL_TEMPLATE} trains from nothing"
    )


def fit_template(text: str, template: str, census: Census, num_training: int) -> str:
    """The template's text with image_size, color and epochs as the pictures ask for, where it
    trains from nothing; a trained network brings its own."""
    if template not in FROM_NOTHING:
        return text
    text = set_key(text, "epochs", str(choose_epochs(num_training)))
    if not census.num_looked_at:
        return text
    height, width = fit_image_size(census.height, census.width, *FROM_NOTHING[template])
    text = set_key(text, "image_size", str(height) if height == width else f"[{height}, {width}]")
    return set_key(text, "color", "grayscale" if census.is_grey else "rgb")


def fit_image_size(height: int, width: int, least: int, most: int) -> tuple[int, int]:
    """(height, width) near that of the pictures, in whole fours from `least` to `most`: the same
    shape where that allows it, square where the sides differ by a tenth or less."""
    sides = (float(height), float(width))
    if 10 * max(sides) <= 11 * min(sides):
        sides = (math.sqrt(height * width),) * 2
    scale = min(max(1, least / min(sides)), most / max(sides))

    def fit(side: float) -> int:
        return min(max(4 * math.floor(side * scale / 4 + 0.5), least), most)

    return fit(sides[0]), fit(sides[1])


def choose_epochs(num_training: int) -> int:
    """Rounds over the training pictures: 9 for the 51,000 of Fashion-MNIST, and for others as the
    root of their number, so that few pictures get more rounds though fewer steps in all: the same
    pictures again teach less. From 8, for the learning rate to come down in, to 100."""
    share = math.sqrt(REFERENCE_TRAINING / max(num_training, 1))
    return min(max(math.ceil(REFERENCE_EPOCHS * share), FEWEST_EPOCHS), MOST_EPOCHS)


def count_training(index: DatasetIndex) -> int:
    """About how many pictures the default split leaves for training: 0.7 of all, what the folder
    itself says, or 0.85 of that where val is still to be split off."""
    splits = [file.split for file in index.files]
    share = 1 if "val" in splits else 0.85
    return round(splits.count("train") * share if index.is_split else 0.7 * len(splits))


def set_key(text: str, key: str, value: str) -> str:
    """The text of a spec with `value` for a section's `key`, and the comment behind it in its
    column; a key that is not there is left alone."""

    def replace(match: re.Match[str]) -> str:
        before, old, space, comment = match.groups(default="")
        if not comment:
            return before + value
        return before + value + " " * max(2, len(old + space) - len(value)) + comment

    return re.sub(_key_pattern(key), replace, text, count=1, flags=re.MULTILINE)


def _key_pattern(key: str) -> str:
    """A line of a section of one of our templates: what is before the value, the value, the space
    before the comment, the comment."""
    return rf"^(  {re.escape(key)}: +)(\S.*?)(?:( +)(#.*))?$"


def _pixels_of(text: str) -> tuple[tuple[int, int] | None, str]:
    """(image_size, color) as a spec's text says."""
    size, color = (
        re.search(_key_pattern(key), text, re.MULTILINE) for key in ("image_size", "color")
    )
    sides: int | list[int] | None = json.loads(size[2]) if size else None
    image_size = (
        (sides, sides) if isinstance(sides, int) else (sides[0], sides[1]) if sides else None
    )
    return image_size, color[2] if color else "rgb"


def _templates_folder() -> Traversable:
    return resources.files("dlcli.spec").joinpath("templates")


def _read_template(name: str) -> str:
    _require_template(name)
    return _templates_folder().joinpath(f"{name}.yaml").read_text(encoding="utf-8")


def _require_template(name: str) -> None:
    known = list_templates()
    if name not in known:
        import difflib

        near = difflib.get_close_matches(name, known, 1)
        hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
        raise UsageError(f"{name!r} is no template.", where="--template", fix=hint)


def _yaml_path(folder: Path, output: Path) -> str:
    """The folder as the spec file sees it: relative where it lies below, quoted as YAML wants."""
    resolved, base = folder.resolve(), output.resolve().parent
    inside = resolved.is_relative_to(base)
    path = f"./{resolved.relative_to(base).as_posix()}" if inside else str(resolved)
    plain = all(char.isalnum() or char in "./_-" for char in path)
    return path if plain else json.dumps(path, ensure_ascii=False)
