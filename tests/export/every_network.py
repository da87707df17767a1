"""Networks of every kind with weights that tell pictures apart, written in every format and asked
by each format's own runtime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli import backend
from dlcli.data.pixels import PixelFormat
from dlcli.spec.loader import read_spec
from tests.conftest import ROOT

SIZE, CLASSES, NUM_PICTURES = 64, ("cat", "dog", "fox"), 12
TEMPLATES = tuple(sorted(path.stem for path in (ROOT / "dlcli/spec/templates").glob("*.yaml")))
BACKBONES = (
    "efficientnetv2-b0",
    "resnet50",
    "vgg16",
    "mobilenet-v3-small",
    "densenet121",
    "convnext-tiny",
)
NETWORKS = (*(f"{name}.yaml" for name in TEMPLATES), *BACKBONES)


@dataclass(frozen=True)
class Written:
    """How far an exported model's probabilities are from those of Keras, and its bytes."""

    difference: float
    agreement: float
    size_bytes: int


class LivelyNetwork:
    """One of NETWORKS at 64 px, and what it answers to pictures."""

    def __init__(self, name: str) -> None:
        backend.prepare()
        from dlcli.models.network import build_network

        settings = [f"data.image_size={SIZE}"]
        is_template = name.endswith(".yaml")
        path = ROOT / "dlcli/spec/templates" / name if is_template else None
        if not is_template:
            settings.append(f"model.backbone={name}")
        self._network = build_network(read_spec(path, settings).spec, len(CLASSES))
        self._pixels = pictures()
        _enliven(self._network, self._pixels)
        self.model = self._network.model
        self.answers = np.asarray(self.model(self._pixels, training=False))

    def write(self, form: str, folder: Path) -> Written:
        """Writes it into `folder` as the export does, and asks what was written."""
        from dlcli.commands.exported import MODEL_FILES, size_of
        from dlcli.export import runtimes
        from dlcli.export.litert import append_head
        from dlcli.export.onnx import write_onnx
        from dlcli.export.saved_model import write_saved_model
        from dlcli.models.convert_body import to_litert

        path, read = folder / MODEL_FILES[form], PixelFormat((SIZE, SIZE))
        if form == "saved_model":
            write_saved_model(self.model, CLASSES, read, folder)
        elif form == "litert":
            path.write_bytes(append_head(to_litert(self._network.body), self._network.head()))
        elif form == "onnx":
            write_onnx(self.model, CLASSES, read, path)
        else:
            self.model.save(path)
        found = runtimes.answer(runtimes.RUNTIMES[form](str(path), 0), self._pixels)
        same = found.argmax(axis=1) == self.answers.argmax(axis=1)
        difference = float(np.abs(found - self.answers).max())
        return Written(difference, float(same.mean()), size_of(path))


def pictures() -> NDArray[np.float32]:
    """Coarse patches of colour with noise on them, float32 (N, H, W, 3), 0-255."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (NUM_PICTURES, 4, 4, 3)).repeat(SIZE // 4, 1).repeat(SIZE // 4, 2)
    noisy: NDArray[np.float32] = (coarse + rng.normal(0, 10, coarse.shape)).clip(0, 255).round()
    return noisy.astype(np.float32)


def _enliven(network: Any, pixels: NDArray[np.float32]) -> None:
    """Scales of its own for every batch normalization, and a classifier whose logits differ from
    picture to picture by 2 or so: random weights alone answer a third to everything, which any
    export would repeat.

    Averages of the pictures themselves would not do: so normalized, a ResNet-152 of random weights
    enlarges a rounding 10,000 times, and no two kernels agree about what it answers.
    """
    rng = np.random.default_rng(1)
    for layer in _layers_of(network.body):
        if type(layer).__name__ == "BatchNormalization":
            for weight in (layer.gamma, layer.moving_variance):
                if weight is not None:
                    weight.assign(rng.uniform(0.8, 1.2, weight.shape))
    features = np.asarray(network.body(pixels, training=False))
    kernel = rng.standard_normal((features.shape[1], len(CLASSES)), np.float32)
    logits = features @ kernel
    scale = 2 / logits.std(axis=0)
    network.classifier.set_weights([kernel * scale, -(logits.mean(axis=0) * scale)])


def _layers_of(model: Any) -> list[Any]:
    inner = [layer for layer in model.layers if hasattr(layer, "layers")]
    return [*model.layers, *(layer for one in inner for layer in _layers_of(one))]
