"""Training pictures a second of an epoch of the last blocks of EfficientNet-Lite0: from kept
activations, or with the frozen layers below run anew for every picture. The first epoch, which
traces, does not count.

python stage_epochs.py kept|full FOLDER LAST
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from dlcli import backend
from dlcli.data.dataset import Dataset, list_dataset, prepare_dataset
from dlcli.data.pixels import PixelFormat
from dlcli.data.split import SplitFractions
from dlcli.events import NullReporter
from dlcli.models.registry import BACKBONES
from dlcli.spec.loader import load_spec
from dlcli.training.stages import plan_stages, resolve_spec
from tests.benchmarks.epoch_times import EpochTimes

EPOCHS, BACKBONE, SIZE = 4, BACKBONES["efficientnet-lite0"], (224, 224)


def measure(kind: str, dataset: Dataset, last: int, work: Path) -> float:
    """Training pictures a second."""
    from dlcli.models.blocks import freeze_normalization
    from dlcli.models.bodies import find_body
    from dlcli.models.model import load_body
    from dlcli.training.augment import augmentation_layers
    from dlcli.training.fit import fit_model
    from dlcli.training.keeper import Keeper
    from dlcli.training.quick import train_head
    from dlcli.training.refine import Material, Part, part_of, source_of, with_head

    stages = f"train.stages=[{{trainable: {{last: {last}}}, epochs: {EPOCHS}, views: 2}}]"
    spec = resolve_spec(load_spec(None, (stages,)), len(dataset.rows("train")))
    _, stage = plan_stages(spec)
    kept = find_body(BACKBONE, SIZE, NullReporter())
    head = train_head(dataset, kept, NullReporter(), mirror=False).head
    body = load_body(BACKBONE.name, SIZE)
    freeze_normalization(body)
    keeper = Keeper(work, lambda _: None)
    material = Material(body, kept.sha256, dataset, spec, work, keeper, NullReporter())
    network = with_head(material, head)
    part = part_of(body, network, stage)
    layers: list[Any] = []
    if kind == "full":
        trained = {id(layer) for layer in part.trained.layers}
        for layer in network.model.layers:
            layer.trainable = layer.trainable and id(layer) in trained
        layers = augmentation_layers(spec.augment)
        part = Part(network.model, None)
    train, val = (source_of(material, part, stage, 32, split) for split in ("train", "val"))
    times = EpochTimes()
    fit_model(part.trained, layers, train, val, spec.train, stage, times, keeps_last=True)
    return times.images_per_second(train.num_images)


if __name__ == "__main__":
    wanted, folder, number = sys.argv[1:]
    index = list_dataset(Path(folder), NullReporter())
    found = prepare_dataset(index, PixelFormat(SIZE), SplitFractions(), NullReporter())
    backend.prepare(seed=0, device="cpu")
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as name:
        print(measure(wanted, found, int(number), Path(name)))
