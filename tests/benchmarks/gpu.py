"""Training all layers on a GPU with jax: how near dlcli's fit, which reads pixels from the host,
comes to a bare loop whose data lie on the device. Needs a GPU that jax uses."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterator
from typing import Any

from dlcli.machine.driver import find_driver
from tests.benchmarks.measure import Measured, repeat, run
from tests.benchmarks.row import Row, against, alone, said

NETWORKS = {
    "EfficientNet-Lite0 at 224 px": (128, 30, "model.backbone=efficientnet-lite0", "224"),
    "ResNet-50 at 224 px": (128, 30, "model.backbone=resnet50", "224"),
    "EfficientNet-Lite0 at 32 px": (256, 195, "model.backbone=efficientnet-lite0", "32"),
}
"""Pictures a batch, batches an epoch; the last has 50,000 pictures, as CIFAR-10."""

LEAST, TIMES = 0.9, 3

_Found = list[dict[str, Any]]


def rows() -> Iterator[Row]:
    """Of each network its speed, the time of an epoch, the time waited and the memory."""
    gpus = find_driver().gpus
    if not gpus:
        yield said("training on a GPU", "absent: no GPU here", asked="present")
        return
    for name, (size, count, backbone, side) in NETWORKS.items():
        settings = (backbone, "model.weights=random", f"data.image_size={side}")
        data = f"made: {size * count:,} noise pictures of {side} px"
        found = _measure(size, count, settings)
        yield from _rows_of(f"{gpus[0].name}: {name}", data, size * count, *found)


def _measure(
    size: int, count: int, settings: tuple[str, ...], device: str = "gpu"
) -> tuple[_Found, _Found]:
    """What the loops of dlcli and the bare ones say, taken in turns."""

    def loop(kind: str) -> Measured:
        command = (sys.executable, "-m", "tests.benchmarks.gpu_loop", kind, "jax", device)
        return run((*command, size, count, *settings))

    ours, bare = repeat(TIMES, lambda: loop("dlcli"), lambda: loop("bare"))
    return [json.loads(one.stdout) for one in ours], [json.loads(one.stdout) for one in bare]


def _rows_of(what: str, data: str, epoch: int, ours: _Found, bare: _Found) -> Iterator[Row]:
    """`epoch` has that many pictures."""
    speeds, baseline = ([one["images_per_second"] for one in found] for found in (ours, bare))
    compared, asked = f"{what}, the speed of a bare loop", f">= {LEAST}x"
    yield against(compared, speeds, baseline, "pictures/s", asked=asked, data=data)
    yield alone(f"{what}, an epoch", [epoch / one for one in speeds], "s", data=data)
    waited = [max(0.0, 1 - one / other) for one, other in zip(speeds, baseline, strict=True)]
    shares = f"{statistics.median(waited):.0%} ({min(waited):.0%}-{max(waited):.0%})"
    what_waited = f"{what}, the share of the time waited"
    yield Row(what_waited, shares, data=data, unit="share", values=tuple(waited))
    peaks, bare_peaks = (
        [one["peak_bytes"] / 1e9 for one in found if one["peak_bytes"] is not None]
        for found in (ours, bare)
    )
    if peaks and bare_peaks:
        compared = f"{what}, peak memory of the GPU, against a bare loop"
        yield against(compared, peaks, bare_peaks, "GB", data=data)
