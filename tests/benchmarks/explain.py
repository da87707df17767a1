"""Whether a heat map shows the half of a picture that a class is in: two photos side by side, and
the map asked for of each of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dlcli.commands.open_run import OpenedRun, open_run
from dlcli.data.pixels import PixelFormat, read_image
from dlcli.events import NullReporter
from tests.benchmarks.measure import DLCLI, repeat, run, seconds
from tests.benchmarks.pictures import SAMPLE_PHOTO, described
from tests.benchmarks.row import Row, alone, said
from tests.conftest import ROOT, SHARED

Pixels = NDArray[np.uint8]
DATA = SHARED / "data" / "animals5"
PAIRS, LEAST, SIDE, TURNS = 100, 0.8, 224, 3


def rows() -> Iterator[Row]:
    """How many of the maps lie on the half asked about, for two ways to join the photos."""
    if not DATA.exists():
        yield said("heat maps on two photos side by side", f"absent: {DATA}", asked="present")
        return
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as folder:
        work = Path(folder)
        environment = {"DLCLI_CACHE": str(work / "cache"), "DLCLI_RUNS": str(work / "runs")}
        trained = (*DLCLI, "train", DATA / "train", "--name", "asked", "--quiet")
        run((*trained, "--set", f"data.image_size={SIDE}"), **environment)
        asked = (*DLCLI, "explain", ROOT / "sample_data" / "cat.jpg", "--run", "asked", "--force")
        [whole] = repeat(TURNS, lambda: run((*asked, "-o", work / "maps"), **environment))
        what = "explain one picture, the whole process"
        yield alone(what, seconds(whole), "s", data=SAMPLE_PHOTO)
        yield from _judge(open_run("asked", work / "runs", NullReporter()))


@dataclass(frozen=True)
class _Question:
    """Two photos uint8 (224, 224, 3) of different classes, and which of them is asked about."""

    photos: tuple[Pixels, Pixels]
    class_name: str
    is_left: bool


def _judge(opened: OpenedRun) -> Iterator[Row]:
    from dlcli import backend

    backend.prepare(device="cpu")
    from dlcli.models.grad_cam import make_grad_cam
    from dlcli.models.model import body_of, open_model

    classifier = opened.classifier
    head, names = classifier.head, classifier.artifact.class_names
    grad_cam = make_grad_cam(body_of(open_model(classifier.artifact, head)), head)
    if grad_cam is None:
        raise ValueError("the network has no maps")
    for how, join in (
        ("the middle of each", _cut),
        ("both squeezed to half their width", _squeeze),
    ):
        shares = [
            _share(grad_cam.evidence(join(*one.photos), names.index(one.class_name)), one.is_left)
            for one in _questions()
        ]
        what = f"two photos side by side, {how}: maps that lie on the half asked about"
        right = float(np.mean(np.array(shares) > 0.5))
        listed = f"{right:.0%} of {len(shares)} (on average {np.mean(shares):.0%} of a map)"
        data = f"{PAIRS} pairs of {described(DATA / 'test')}"
        yield Row(what, listed, f">= {LEAST:.0%}", data, "share", (right,))


def _questions() -> Iterator[_Question]:
    rng = np.random.default_rng(0)
    files = {folder.name: sorted(folder.iterdir()) for folder in sorted((DATA / "test").iterdir())}
    for _ in range(PAIRS):
        names = [str(name) for name in rng.choice(sorted(files), 2, replace=False)]
        left, right = (
            read_image(files[name][rng.integers(len(files[name]))], PixelFormat((SIDE, SIDE)))
            for name in names
        )
        for place, name in enumerate(names):
            yield _Question((left, right), name, is_left=place == 0)


def _cut(left: Pixels, right: Pixels) -> Pixels:
    quarter = SIDE // 4
    return np.concatenate([one[:, quarter:-quarter] for one in (left, right)], axis=1)


def _squeeze(left: Pixels, right: Pixels) -> Pixels:
    pair = Image.fromarray(np.concatenate([left, right], axis=1))
    return np.asarray(pair.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _share(evidence: NDArray[np.float32], is_left: bool) -> float:
    """How much of a map (h, w) lies on a half; of a map that is empty, nothing."""
    columns = np.repeat(evidence.sum(axis=0), 2)  # so that an odd width has halves
    left, right = np.split(columns, 2)
    total = columns.sum()
    return float((left if is_left else right).sum() / total) if total else 0.0
