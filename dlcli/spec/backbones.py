"""The names of the backbones and the least picture each takes; `models/registry.py` knows all."""

from __future__ import annotations

import functools
import json
from importlib import resources


@functools.cache
def least_image_sizes() -> dict[str, int]:
    """The least height and width in pixels of each backbone's pictures, by its name."""
    text = resources.files("dlcli.spec").joinpath("backbones.json").read_text(encoding="ascii")
    return {name: facts["least_image_size"] for name, facts in json.loads(text).items()}
