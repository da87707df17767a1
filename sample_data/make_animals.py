r"""Draws the pictures of the `animals` sample from openly licensed glyphs.

The glyphs come from npm packages of the Iconify project. To fetch the ones that were used:

    npm install --prefix glyphs --no-save \
        @iconify-json/emojione@1.2.3 @iconify-json/emojione-monotone@1.2.1 \
        @iconify-json/fluent-emoji@1.2.7 @iconify-json/fluent-emoji-flat@1.2.6 \
        @iconify-json/fluent-emoji-high-contrast@1.2.6 @iconify-json/fxemoji@1.2.2 \
        @iconify-json/game-icons@1.2.4 @iconify-json/icon-park-outline@1.2.4 \
        @iconify-json/mdi@1.2.3 @iconify-json/noto@1.2.9 @iconify-json/noto-v1@1.2.5 \
        @iconify-json/streamline-emojis@1.2.4 @iconify-json/twemoji@1.2.5
    pip install pillow==13.0.0 resvg_py==0.5.0
    python make_animals.py glyphs/node_modules/@iconify-json animals

Every choice is drawn from a generator seeded with the name of the picture, so the same packages
and the same versions of Pillow and resvg_py give the same bytes.

A picture is called `<set>-<glyph>-<n>.jpg`. Pictures that differ only in `<n>` show one glyph.

With a third argument it also makes the photo of a cat: the path of `chelsea.png`, which is in
the `skimage/data` folder of the scikit-image 0.26.0 wheel. The photo is written beside the
`animals` folder.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import resvg_py
from PIL import Image, ImageStat

SIZE = 112
OVERSAMPLING = 4
PICTURES_PER_CLASS = 30
QUALITY = 85
PHOTO_QUALITY = 88
MAX_TURN_DEGREES = 25.0
MIN_FILL, MAX_FILL = 0.70, 0.90
MARGIN = 4
MIN_CONTRAST = 110.0

LICENCES = {"Apache-2.0", "CC-BY-3.0", "CC-BY-4.0", "CC0-1.0", "MIT"}

GLYPHS: dict[str, dict[str, list[str]]] = {
    "cat": {
        "noto": ["cat", "cat-face", "black-cat"],
        "noto-v1": ["cat", "cat-face"],
        "fluent-emoji": ["cat", "cat-face"],
        "fluent-emoji-flat": ["black-cat"],
        "fluent-emoji-high-contrast": ["cat-face"],
        "twemoji": ["cat", "cat-face"],
        "emojione": ["cat", "cat-face"],
        "emojione-monotone": ["cat-face"],
        "streamline-emojis": ["cat-face"],
        "fxemoji": ["cat"],
        "mdi": ["cat"],
    },
    "dog": {
        "noto": ["dog", "dog-face", "poodle"],
        "noto-v1": ["dog", "dog-face"],
        "fluent-emoji": ["dog", "dog-face"],
        "fluent-emoji-flat": ["service-dog"],
        "fluent-emoji-high-contrast": ["dog-face"],
        "twemoji": ["dog", "dog-face", "poodle"],
        "emojione": ["dog", "dog-face"],
        "emojione-monotone": ["dog-face"],
        "streamline-emojis": ["dog-face"],
        "fxemoji": ["dog"],
        "mdi": ["dog"],
    },
    "elephant": {
        "noto": ["elephant"],
        "noto-v1": ["elephant"],
        "fluent-emoji": ["elephant"],
        "fluent-emoji-flat": ["elephant"],
        "fluent-emoji-high-contrast": ["elephant"],
        "twemoji": ["elephant"],
        "emojione": ["elephant"],
        "emojione-monotone": ["elephant"],
        "streamline-emojis": ["elephant"],
        "fxemoji": ["elephant"],
        "mdi": ["elephant"],
        "icon-park-outline": ["elephant"],
    },
    "lion": {
        "noto": ["lion"],
        "noto-v1": ["lion"],
        "fluent-emoji": ["lion"],
        "fluent-emoji-flat": ["lion"],
        "fluent-emoji-high-contrast": ["lion"],
        "twemoji": ["lion"],
        "emojione": ["lion-face"],
        "emojione-monotone": ["lion-face"],
        "streamline-emojis": ["lion-face"],
        "game-icons": ["lion"],
    },
    "tiger": {
        "noto": ["tiger", "tiger-face"],
        "noto-v1": ["tiger", "tiger-face"],
        "fluent-emoji": ["tiger", "tiger-face"],
        "fluent-emoji-flat": ["tiger-face"],
        "fluent-emoji-high-contrast": ["tiger-face"],
        "twemoji": ["tiger", "tiger-face"],
        "emojione": ["tiger", "tiger-face"],
        "emojione-monotone": ["tiger-face"],
        "streamline-emojis": ["tiger", "tiger-face"],
        "fxemoji": ["tiger"],
    },
}

Colour = tuple[int, int, int]

BACKGROUNDS: list[Colour] = [
    (250, 250, 247),
    (236, 239, 241),
    (255, 243, 214),
    (214, 234, 248),
    (216, 240, 220),
    (248, 220, 226),
    (230, 222, 246),
    (176, 204, 222),
    (168, 206, 180),
    (214, 196, 170),
    (190, 178, 212),
    (184, 190, 196),
]
INKS = ["#1d1d1f", "#2b2b45", "#3a2a20", "#1f3a33", "#43202e"]


@dataclass(frozen=True)
class Glyph:
    """One drawing of one set, as SVG; `plain` says that it has no colours of its own."""

    collection: str
    name: str
    svg: str
    plain: bool


class Collection:
    """An icon set, read from its unpacked npm package."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.name
        self._icons: dict[str, Any] = _read_json(folder / "icons.json")
        info = _read_json(folder / "info.json")
        licence = info["license"]["spdx"]
        if licence not in LICENCES:
            raise SystemExit(f"{self.name} is under {licence}, which this sample does not take")

    def glyph(self, name: str) -> Glyph:
        """The glyph called `name`, with its view box written out."""
        icon = self._icons["icons"][name]
        left, top, width, height = (
            icon.get(key, self._icons.get(key, default))
            for key, default in (("left", 0), ("top", 0), ("width", 16), ("height", 16))
        )
        svg = (
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
            f' viewBox="{left} {top} {width} {height}" width="{width}" height="{height}">'
            f"{icon['body']}</svg>"
        )
        return Glyph(self.name, name, svg, "currentColor" in svg)


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def rasterise(glyph: Glyph, ink: str) -> Image.Image:
    """The glyph as a big picture with an alpha channel, cut to what is drawn."""
    png = resvg_py.svg_to_bytes(
        svg_string=glyph.svg.replace("currentColor", ink),
        width=SIZE * OVERSAMPLING,
        skip_system_fonts=True,
    )
    return _cut(Image.open(io.BytesIO(png)).convert("RGBA"))


def _cut(image: Image.Image) -> Image.Image:
    """The part of the picture that is not fully transparent."""
    return image.crop(image.getchannel("A").getbbox())


def mean_colour(image: Image.Image) -> Colour:
    """The mean colour of what is drawn."""
    red, green, blue = ImageStat.Stat(image.convert("RGB"), mask=image.getchannel("A")).mean
    return round(red), round(green), round(blue)


def pick_background(rng: random.Random, image: Image.Image) -> Colour:
    """A background that the picture stands out from."""
    mean = mean_colour(image)
    far = [colour for colour in BACKGROUNDS if _distance(colour, mean) >= MIN_CONTRAST]
    farthest = max(BACKGROUNDS, key=lambda colour: _distance(colour, mean))
    return rng.choice(far or [farthest])


def _distance(one: Colour, other: Colour) -> float:
    return float(sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5)


def turn(rng: random.Random, image: Image.Image) -> Image.Image:
    """The picture turned by a random angle and, half of the time, mirrored."""
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    angle = rng.uniform(-MAX_TURN_DEGREES, MAX_TURN_DEGREES)
    return _cut(image.rotate(angle, resample=Image.Resampling.BICUBIC, expand=True))


def place(rng: random.Random, image: Image.Image, background: Colour) -> Image.Image:
    """The picture at a random size and place on a plain square, clear of its edges."""
    side = SIZE * OVERSAMPLING
    factor = rng.uniform(MIN_FILL, MAX_FILL) * side / max(image.size)
    width, height = (max(1, round(length * factor)) for length in image.size)
    scaled = image.resize((width, height), Image.Resampling.LANCZOS)
    edge = MARGIN * OVERSAMPLING
    corner = rng.randint(edge, side - edge - width), rng.randint(edge, side - edge - height)
    canvas = Image.new("RGB", (side, side), background)
    canvas.paste(scaled, corner, scaled)
    return canvas.resize((SIZE, SIZE), Image.Resampling.LANCZOS)


def draw(glyph: Glyph, number: int) -> Image.Image:
    """The picture of that number of a glyph: always the same for the same two."""
    rng = random.Random(f"{glyph.collection}/{glyph.name}/{number}")
    image = rasterise(glyph, rng.choice(INKS))
    background = pick_background(rng, image)
    return place(rng, turn(rng, image), background)


def draw_class(glyphs: list[Glyph], folder: Path) -> None:
    """Writes the pictures of one class, taking its glyphs in turn until there are enough."""
    folder.mkdir(parents=True)
    for index in range(PICTURES_PER_CLASS):
        glyph, number = glyphs[index % len(glyphs)], index // len(glyphs) + 1
        path = folder / f"{glyph.collection}-{glyph.name}-{number}.jpg"
        draw(glyph, number).save(path, quality=QUALITY, optimize=True)


def make_animals(packages: Path, animals: Path) -> None:
    """Writes the pictures of all classes, in place of those that were there."""
    names = sorted({name for sets in GLYPHS.values() for name in sets})
    collections = {name: Collection(packages / name) for name in names}
    for label, sets in GLYPHS.items():
        shutil.rmtree(animals / label, ignore_errors=True)
        glyphs = [collections[name].glyph(each) for name, many in sets.items() for each in many]
        draw_class(glyphs, animals / label)


def make_photo(chelsea: Path, path: Path) -> None:
    """Writes the photo of a cat as a JPEG file."""
    Image.open(chelsea).convert("RGB").save(path, quality=PHOTO_QUALITY, optimize=True)


def main() -> None:
    """Reads the arguments and makes what they ask for."""
    parser = argparse.ArgumentParser(description="Draws the pictures of the animals sample.")
    parser.add_argument("packages", type=Path, help="the folder that holds the icon packages")
    parser.add_argument("animals", type=Path, help="the folder to write the classes to")
    parser.add_argument("chelsea", type=Path, nargs="?", help="chelsea.png of scikit-image")
    arguments = parser.parse_args()
    make_animals(arguments.packages, arguments.animals)
    if arguments.chelsea is not None:
        make_photo(arguments.chelsea, arguments.animals.parent / "cat.jpg")


if __name__ == "__main__":
    main()
