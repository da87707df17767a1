"""Writes dlcli/models/applications.json from the installed Keras:

    python -m tests.models.make_applications

It holds what the registry must know of every constructor of `keras.applications` without
importing Keras. Each network is built once, as small as it may be, with `weights="imagenet"` and
the download intercepted. `--names` only writes dlcli/spec/backbones.json, from what is there.
"""

from __future__ import annotations

import gc
import inspect
import json
import math
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from dlcli import backend
from tests.conftest import ROOT

APPLICATIONS = ROOT / "dlcli" / "models" / "applications.json"
SPEC_BACKBONES = ROOT / "dlcli" / "spec" / "backbones.json"
FAMILIES = {
    "ConvNeXt": "convnext",
    "DenseNet": "densenet",
    "EfficientNetV2": "efficientnetv2",
    "EfficientNet": "efficientnet",
    "InceptionResNet": "inception-resnet",
    "Inception": "inception",
    "MobileNet": "mobilenet",
    "NASNet": "nasnet",
    "ResNet": "resnet",
    "VGG": "vgg",
    "Xception": "xception",
}
_DEFAULT_SIZE, _LEAST_SIZE = 224, 32
"""Of MobileNetV3, which leaves them to nobody."""


def constructor_names() -> list[str]:
    """Every function of `keras.applications` that builds a network."""
    keras = backend.keras
    return sorted(
        name
        for name, value in vars(keras.applications).items()
        if inspect.isfunction(value) and name[0].isupper()
    )


def backbone_name(constructor: str) -> str:
    """`resnet152-v2` for ResNet152V2: the family, a number at once, the rest behind hyphens."""
    family = next(family for family in FAMILIES if constructor.startswith(family))
    rest = constructor.removeprefix(family)
    parts = re.findall(r"^\d+|XLarge|[A-Z][a-z]*\d*", rest)
    assert "".join(parts) == rest, constructor
    parts = [part if part.isdecimal() else f"-{part.lower()}" for part in parts]
    return FAMILIES[family] + "".join(parts)


def image_sizes(constructor: str) -> tuple[int, int]:
    """The default and the least height and width; builds nothing."""
    from keras.src.applications import imagenet_utils

    class Seen(Exception):  # noqa: N818
        pass

    def see(*_: Any, default_size: int, min_size: int, **__: Any) -> None:
        raise Seen(default_size, min_size)

    module = inspect.getmodule(getattr(backend.keras.applications, constructor))
    owner = module if hasattr(module, "obtain_input_shape") else imagenet_utils
    with mock.patch.object(owner, "obtain_input_shape", see):
        try:
            build(constructor, None, _DEFAULT_SIZE)
        except Seen as seen:
            return seen.args[0], seen.args[1]
    return _DEFAULT_SIZE, _LEAST_SIZE


def build(constructor: str, weights: str | None, size: int) -> Any:
    """The network up to its pooled features."""
    construct = getattr(backend.keras.applications, constructor)
    return construct(include_top=False, pooling="avg", weights=weights, input_shape=(size, size, 3))


def preprocessing(constructor: str) -> str:
    """caffe, torch or tf: what the module's `preprocess_input` does; none if nothing."""
    module: Any = inspect.getmodule(getattr(backend.keras.applications, constructor))
    pixels = np.random.default_rng(0).uniform(0, 255, (1, 2, 2, 3)).astype(np.float32)
    found = module.preprocess_input(pixels.copy())
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    ways: dict[str, Callable[[Any], Any]] = {
        "none": lambda x: x,
        "tf": lambda x: x / 127.5 - 1,
        "torch": lambda x: (x / 255 - mean) / std,
        "caffe": lambda x: x[..., ::-1] - np.array([103.939, 116.779, 123.68]),
    }
    (fits,) = (name for name, way in ways.items() if np.allclose(way(pixels), found, atol=1e-4))
    return fits


@contextmanager
def intercepted_download(file: Path | None = None) -> Iterator[dict[str, str]]:
    """`get_file` gives `file` and notes what was asked for; without `file` nothing is loaded."""
    asked: dict[str, str] = {}

    def get_file(name: str, url: str, **more: Any) -> str:
        asked.update(file=name, url=url, hash=more.get("file_hash") or "")
        return str(file)

    from keras.src.utils import file_utils

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(file_utils, "get_file", get_file))
        if file is None:
            nothing = mock.patch.object(backend.keras.Model, "load_weights")
            stack.enter_context(nothing)
        yield asked


def facts_of(constructor: str) -> dict[str, Any]:
    """What applications.json says of one constructor."""
    size, least = image_sizes(constructor)
    with intercepted_download() as asked:
        network = build(constructor, "imagenet", least)
    facts = {
        "constructor": constructor,
        "image_size": [size, size],
        "least_image_size": least,
        "multiply_adds": multiply_adds(build(constructor, None, size)),
        "num_features": network.output_shape[-1],
        "parameters": network.count_params(),
        "preprocessing": preprocessing(constructor),
        "weights": asked,
    }
    del network
    gc.collect()
    return facts


def multiply_adds(network: Any) -> int:
    """Of the kernels of a network for one picture: those of its convolutions and dense layers."""
    return sum(
        math.prod(layer.output.shape[1:-1]) * math.prod(weight.shape)
        for layer in network.layers
        for weight in layer.weights
        if "kernel" in weight.name
    )


def write_spec_backbones() -> None:
    """What a spec may name, and the least picture of each."""
    from dlcli.models.registry import BACKBONES

    lines = [
        f'"{name}": {{"least_image_size": {backbone.least_image_size}}}'
        for name, backbone in BACKBONES.items()
    ]
    SPEC_BACKBONES.write_text("{" + ",\n".join(lines) + "}\n", encoding="ascii")


def main() -> None:
    """Writes the file."""
    backend.prepare()
    facts = {backbone_name(name): facts_of(name) for name in constructor_names()}
    lines = [f'"{name}": {json.dumps(facts[name])}' for name in sorted(facts)]
    APPLICATIONS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="ascii")


if __name__ == "__main__":
    write_spec_backbones() if "--names" in sys.argv[1:] else main()
