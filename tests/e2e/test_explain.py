"""Why a picture is taken for what it is taken for, as a user sees it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT, Command, write_classes, write_image

CAT = ROOT / "sample_data" / "cat.jpg"


def test_a_map_and_the_nearest_pictures_for_each_picture(
    trained_run: Path, animals: Path, tmp_path: Path, dlcli: Command
) -> None:
    with (trained_run / "split.csv").open(encoding="utf-8", newline="") as file:
        trained_on = next(
            animals / row["path"]
            for row in csv.DictReader(file)
            if row["split"] == "train" and row["label"] == "lion"
        )
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    inputs = (CAT, broken, trained_on)
    done = dlcli("explain", *inputs, "--run", trained_run, "--json", "-o", tmp_path / "maps")
    assert done.returncode == 5, done.stderr
    assert "1 of 3 pictures could not be read" in done.stderr
    document = json.loads(done.stdout)
    cat, unreadable, lion = document["images"]
    assert [image["path"] for image in document["images"]] == list(map(str, inputs))
    assert unreadable["error"]
    assert unreadable["map"] is None
    predicted = dlcli("predict", CAT, trained_on, "--run", trained_run, "--json")
    for image, line in zip((cat, lion), predicted.stdout.splitlines(), strict=True):
        expected = json.loads(line)
        assert image["label"] == image["explained"] == expected["label"]
        assert image["probability"] == pytest.approx(expected["probability"], abs=1e-6)
        assert image["layer"]
        assert len(image["nearest"]) == 5
        with Image.open(image["map"]) as drawn:
            assert drawn.format == "PNG"
            assert min(drawn.size) > 448
    assert Path(cat["map"]) == tmp_path / "maps" / "cat-explained.png"
    # What was trained on is nearest to itself.
    assert lion["nearest"][0]["path"] == str(trained_on)
    assert lion["nearest"][0]["similarity"] == pytest.approx(1, abs=2e-3)
    assert lion["nearest"][0]["label"] == "lion"


def test_the_class_asked_about_changes_the_map(
    trained_run: Path, tmp_path: Path, dlcli: Command
) -> None:
    moved = tmp_path / "moved"  # the run is elsewhere, and its pictures are gone
    shutil.copytree(trained_run, moved)
    described = json.loads((moved / "run.json").read_text())
    described["data"]["folder"] = str(tmp_path / "gone")
    (moved / "run.json").write_text(json.dumps(described))
    maps = {}
    for name in ("cat", "tiger"):
        done = dlcli("explain", CAT, "--run", moved, "--class", name, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        file = tmp_path / "moved-explained" / f"cat-explained-{name}.png"
        assert f"moved-explained/{file.name}" in done.stdout.replace("\\", "/")
        assert "nearest  " in done.stdout
        assert "named and not shown" in done.stderr
        with Image.open(file) as drawn:
            maps[name] = np.asarray(drawn.convert("RGB")).astype(int)
    middle = maps["cat"].shape[1] // 2
    seen, overlaid = (
        np.abs(maps["cat"] - maps["tiger"])[60:480, part].mean()
        for part in (slice(0, middle - 8), slice(middle + 8, None))
    )
    assert seen == 0
    assert overlaid > 2
    again = dlcli("explain", CAT, "--run", moved, "--class", "cat", cwd=tmp_path)
    assert again.returncode == 2
    assert "--force" in again.stderr


def test_an_artefact_that_stands_alone_gives_maps(
    trained_run: Path, tmp_path: Path, dlcli: Command
) -> None:
    alone = tmp_path / "alone"
    shutil.copytree(trained_run / "model", alone)
    done = dlcli("explain", CAT, "--run", alone, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (image,) = json.loads(done.stdout)["images"]
    assert image["nearest"] is None
    assert (tmp_path / image["map"]).is_file()
    assert "this model stands alone" in done.stderr


LAYERS = {
    "places": "[{conv2d: {filters: 4, kernel_size: 3, activation: relu}}, flatten]",
    "none": "[{rescaling: 0.004}, flatten, {dense: 4}]",
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LAYERS)
def test_a_network_of_layers(kind: str, tmp_path: Path, dlcli: Command) -> None:
    folder = write_classes(tmp_path / "data", {"a": 8, "b": 8})
    settings = [f"model.layers={LAYERS[kind]}", "data.image_size=16", "train.epochs=1"]
    options = [word for setting in settings for word in ("--set", setting)]
    trained = dlcli("train", folder, *options, "--name", "own", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    asked = write_image(tmp_path / "asked.png", 77)
    done = dlcli("explain", asked, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (image,) = json.loads(done.stdout)["images"]
    assert len(image["nearest"]) == 5
    if kind == "places":
        assert image["layer"]
        assert (tmp_path / "own-explained" / "asked-explained.png").is_file()
    else:
        assert image["map"] is image["layer"] is None
        assert "keeps no places" in done.stderr
        assert not (tmp_path / "own-explained").exists()
