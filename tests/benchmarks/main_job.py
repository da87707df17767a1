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
    megabytes,
    repeat,
    run,
    seconds,
)
from tests.benchmarks.pictures import SAMPLE_PHOTO, described
from tests.benchmarks.row import Row, against, alone, said
from tests.conftest import ROOT, SHARED

CAT = ROOT / "sample_data" / "cat.jpg"
ANIMALS, HYMENOPTERA = SHARED / "data" / "animals5", SHARED / "data" / "hymenoptera"
REPEATS = 5


def rows() -> Iterator[Row]:
    """Everything the main job promises."""
    if not ANIMALS.exists():
        yield said("the main job on photos", f"absent: {ANIMALS}", asked="present")
        return
    with tempfile.TemporaryDirectory(prefix="dlcli-bench-") as folder:
        bench = _Bench(Path(folder))
        yield from bench.training()
        yield from bench.accuracy()
        yield from bench.predicting()
        yield from bench.predicting_many()
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
        what, data = "train, the very first on a machine", described(ANIMALS / "train")
        yield alone(what, seconds([first]), "s", asked="<= 30 s", data=data)
        [fresh] = repeat(REPEATS, self.train_on_new_pictures)
        [again] = repeat(REPEATS, self.train)
        loaded = frameworks_imported((*DLCLI, "train", ANIMALS / "train"), **self.environment)
        what = "train, body there, pictures new"
        yield alone(what, seconds(fresh), "s", asked="<= 8 s", data=data)
        yield alone("its peak memory", megabytes(fresh), "MB", asked="<= 600 MB", data=data)
        yield said("its frameworks", loaded, asked="none", data=data)
        pages = [json.loads(one.stdout)["seconds"]["report"] for one in fresh]
        yield alone("of it report.html", pages, "s", asked="<= 2 s", data=data)
        what = "train, the same folder again"
        yield alone(what, seconds(again), "s", asked="<= 4 s", data=data)

    def accuracy(self) -> Iterator[Row]:
        tested = self.dlcli("evaluate", ANIMALS / "test", "--json", "--quiet")
        accuracy = json.loads(tested.stdout)["report"]["accuracy"]
        yield _accuracy("animals5: accuracy on test", accuracy, ">= 0.965", ANIMALS / "test")
        trained = self.dlcli("train", HYMENOPTERA, "--json", "--quiet", "--name", "hymenoptera")
        accuracy = json.loads(trained.stdout)["val"]["accuracy"]
        what = "hymenoptera: accuracy on its val"
        yield _accuracy(what, accuracy, ">= 0.935", HYMENOPTERA / "val")

    def predicting(self) -> Iterator[Row]:
        one = (*DLCLI, "predict", CAT, "--run", "train-1")
        floor = Path(__file__).with_name("litert_alone.py")
        body = self.runs / "train-1" / "model" / "body.tflite"
        [whole, bare, help_] = repeat(
            4 * REPEATS,
            lambda: run(one, **self.environment),
            lambda: run((DLCLI[0], floor, body, CAT)),
            lambda: self.dlcli("--help"),
        )
        ours, data = seconds(whole), SAMPLE_PHOTO
        yield alone("predict one picture", ours, "s", asked="<= 0.30 s", data=data)
        what = "the same, against LiteRT alone"
        yield against(what, ours, seconds(bare), "s", asked="<= 2x", data=data)
        yield alone("its peak memory", megabytes(whole), "MB", asked="<= 130 MB", data=data)
        loaded = frameworks_imported(one, **self.environment)
        yield said("its frameworks", loaded, asked="none", data=data)
        yield alone("--help", seconds(help_), "s", asked="<= 0.25 s")

    def predicting_many(self) -> Iterator[Row]:
        keras_model = self.runs / "keras"
        self.dlcli("export", "--run", "train-1", "--format", "keras", "-o", keras_model)
        script = (Path(__file__).with_name("keras_predict.py"), keras_model / "model.keras")
        [ours, theirs] = repeat(
            3,
            lambda: self.dlcli("predict", ANIMALS / "train", "--run", "train-1", "--quiet"),
            lambda: run((DLCLI[0], *script, ANIMALS / "train"), **self.environment),
        )
        yield against(
            "predict 750 pictures, against Keras",
            seconds(ours),
            seconds(theirs),
            "s",
            asked=">= 1.6x",
            data=described(ANIMALS / "train"),
            faster=True,
        )

    def parity(self) -> Iterator[Row]:
        exported = json.loads((self.runs / "keras" / "export.json").read_text())["parity"]
        difference, agreement = exported["max_abs_difference"], exported["top_1_agreement"]
        listed = f"{difference:.1e} on {exported['num_images']} pictures"
        data = f"animals5/train, {exported['num_images']} {exported['source']}"
        what = "body + head against the Keras model"
        yield Row(what, listed, "<= 1e-4", data, "probability", (difference,))
        yield Row("their top class", f"{agreement:.1%}", "the same", data, "share", (agreement,))


def _accuracy(what: str, accuracy: float, asked: str, folder: Path) -> Row:
    return Row(what, f"{accuracy:.4f}", asked, described(folder), "share", (accuracy,))
