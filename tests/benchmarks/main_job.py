"""The main job on real photos: how right, how fast, how small."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.measure import (
    DLCLI,
    Measured,
    frameworks_imported,
    median_seconds,
    peak,
    repeat,
    run,
    seconds,
)
from tests.conftest import ROOT, SHARED

Row = tuple[str, str, str]
CAT = ROOT / "sample_data" / "cat.jpg"
ANIMALS, HYMENOPTERA = SHARED / "data" / "animals5", SHARED / "data" / "hymenoptera"
REPEATS = 5


def rows() -> Iterator[Row]:
    """(what, at least, measured) of everything the main job promises."""
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as folder:
        bench = _Bench(Path(folder))
        yield from bench.training()
        yield from bench.accuracy()
        yield from bench.predicting()
        yield from bench.parity()


class _Bench:
    """A cache and a runs folder of its own, so that "the very first" is just that."""

    def __init__(self, folder: Path) -> None:
        self.cache = folder / "cache"
        self.runs = folder / "runs"
        self.environment = {"DLCLI_CACHE": str(self.cache), "DLCLI_RUNS": str(self.runs)}

    def dlcli(self, *arguments: object) -> Measured:
        return run((*DLCLI, *arguments), **self.environment)

    def train(self) -> Measured:
        return self.dlcli("train", ANIMALS / "train", "--json", "--quiet")

    def train_on_new_pictures(self) -> Measured:
        for kind in ("pixels", "features"):
            shutil.rmtree(self.cache / kind, ignore_errors=True)
        return self.train()

    def training(self) -> Iterator[Row]:
        first = self.train()
        yield "train, the very first on a machine", "<= 30 s", f"{first.seconds:.1f} s"
        [fresh] = repeat(REPEATS, self.train_on_new_pictures)
        [again] = repeat(REPEATS, self.train)
        loaded = frameworks_imported((*DLCLI, "train", ANIMALS / "train"), **self.environment)
        yield "train, body there, pictures new", "<= 8 s", seconds(fresh)
        yield "its peak memory", "<= 600 MB", peak(fresh)
        yield "its frameworks", "none", loaded
        yield "train, the same folder again", "<= 4 s", seconds(again)

    def accuracy(self) -> Iterator[Row]:
        tested = self.dlcli("evaluate", ANIMALS / "test", "--json", "--quiet")
        accuracy = json.loads(tested.stdout)["report"]["accuracy"]
        yield "animals5: accuracy on test", ">= 0.965", f"{accuracy:.4f}"
        trained = self.dlcli("train", HYMENOPTERA, "--json", "--quiet", "--name", "hymenoptera")
        accuracy = json.loads(trained.stdout)["val"]["accuracy"]
        yield "hymenoptera: accuracy on its val", ">= 0.935", f"{accuracy:.4f}"

    def predicting(self) -> Iterator[Row]:
        one = (*DLCLI, "predict", CAT, "--run", "train-1")
        floor = Path(__file__).with_name("litert_alone.py")
        body = self.runs / "train-1" / "model" / "body.tflite"
        [alone, bare, help_] = repeat(
            4 * REPEATS,
            lambda: run(one, **self.environment),
            lambda: run((DLCLI[0], floor, body, CAT)),
            lambda: self.dlcli("--help"),
        )
        yield "predict one picture", "<= 0.30 s", seconds(alone)
        times = f"{median_seconds(alone) / median_seconds(bare):.2f}x: {seconds(bare)}"
        yield "the same, against LiteRT alone", "<= 2x", times
        yield "its peak memory", "<= 130 MB", peak(alone)
        yield "its frameworks", "none", frameworks_imported(one, **self.environment)
        yield "--help", "<= 0.25 s", seconds(help_)
        keras_model = self.runs / "keras"
        self.dlcli("export", "--run", "train-1", "--format", "keras", "-o", keras_model)
        script = (Path(__file__).with_name("keras_predict.py"), keras_model / "model.keras")
        [ours, theirs] = repeat(
            3,
            lambda: self.dlcli("predict", ANIMALS / "train", "--run", "train-1", "--quiet"),
            lambda: run((DLCLI[0], *script, ANIMALS / "train"), **self.environment),
        )
        ratio = median_seconds(theirs) / median_seconds(ours)
        detail = f"{seconds(ours)} against {seconds(theirs)}"
        yield "predict 750 pictures, against Keras", ">= 1.6x", f"{ratio:.1f}x: {detail}"

    def parity(self) -> Iterator[Row]:
        exported = json.loads((self.runs / "keras" / "export.json").read_text())["parity"]
        difference = f"{exported['max_abs_difference']:.1e} on {exported['num_images']} pictures"
        agreement = f"{exported['top_1_agreement']:.1%}"
        yield "body + head against the Keras model", "<= 1e-4", difference
        yield "their top class", "the same", agreement
