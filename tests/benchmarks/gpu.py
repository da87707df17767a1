"""Training all layers on a GPU with jax: how near dlcli's fit, which reads pixels from the host,
comes to a bare loop whose data lie on the device. Needs a GPU that jax uses."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator

from dlcli.machine.driver import find_driver
from tests.benchmarks.measure import Measured, repeat, run

Row = tuple[str, str, str]
NETWORKS = {
    "EfficientNet-Lite0 at 224 px": (128, 30, "model.backbone=efficientnet-lite0", "224"),
    "ResNet-50 at 224 px": (128, 30, "model.backbone=resnet50", "224"),
    "EfficientNet-Lite0 at 32 px": (256, 195, "model.backbone=efficientnet-lite0", "32"),
}
"""Pictures a batch, batches an epoch; the last has 50,000 pictures, as CIFAR-10."""

LEAST, TIMES = 0.9, 3


def rows() -> Iterator[Row]:
    """(what, at least, measured)"""
    gpus = find_driver().gpus
    if not gpus:
        yield "training on a GPU", "present", "absent: no GPU here"
        return
    for name, (size, count, backbone, side) in NETWORKS.items():
        settings = (backbone, "model.weights=random", f"data.image_size={side}")
        yield _row(f"{gpus[0].name}: {name}", size, count, settings)


def _row(what: str, size: int, count: int, settings: tuple[str, ...], device: str = "gpu") -> Row:
    def loop(kind: str) -> Measured:
        command = (sys.executable, "-m", "tests.benchmarks.gpu_loop", kind, "jax", device)
        return run((*command, size, count, *settings))

    ours, bare = repeat(TIMES, lambda: loop("dlcli"), lambda: loop("bare"))
    pairs = [(json.loads(a.stdout), json.loads(b.stdout)) for a, b in zip(ours, bare, strict=True)]
    ratios = [one["images_per_second"] / other["images_per_second"] for one, other in pairs]
    speed = statistics.median(one["images_per_second"] for one, _ in pairs)
    peaks = [one["peak_bytes"] for one, _ in pairs if one["peak_bytes"] is not None]
    memory = f", {max(peaks) / 1e9:.1f} GB" if peaks else ""
    waiting = max(0.0, 1 - statistics.median(ratios))
    epoch = size * count
    detail = (
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}): "
        f"{speed:.0f} pictures a second, an epoch of {epoch} in {epoch / speed:.1f} s, "
        f"{waiting:.0%} of the time waited{memory}"
    )
    return f"{what}, the speed of a bare loop", f">= {LEAST}", detail
