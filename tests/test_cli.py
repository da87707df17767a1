"""The command line itself: help, usage errors, streams."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dlcli import __version__
from tests.conftest import Command, write_image

COMMANDS = (
    *("init", "check", "train", "evaluate", "predict", "explain", "export"),
    *("models", "doctor", "compare", "runs", "cache"),
)


def test_help_lists_the_commands(dlcli: Command) -> None:
    done = dlcli("--help")
    assert done.returncode == 0
    assert [name for name in COMMANDS if f"  {name} " in done.stdout] == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_a_worked_example(command: str, dlcli: Command) -> None:
    done = dlcli(command, "--help")
    assert done.returncode == 0
    assert re.search(rf"\n      dlcli {command}\b", done.stdout)
    for option in ("--json", "--quiet"):
        assert option in done.stdout


def test_version(dlcli: Command) -> None:
    assert dlcli("--version").stdout == f"dlcli {__version__}\n"


@pytest.mark.parametrize(
    "args",
    [
        ["trian", "x"],
        ["train", "--no-such-option"],
        ["predict"],
        ["predict", "x.jpg", "--top", "0"],
        ["predict", "x.jpg", "--format", "xml"],
        ["predict", "x.jpg", "--json", "--format", "csv"],
        ["train", "x", "--set", "epochs"],
        ["init", "--template", "trnsfer"],
        ["check"],
        ["check", "no-such-folder"],
        ["check", ".", "--fail-on", "duplicates"],
        ["check", ".", "--fail-on", "unlikely_label"],
        ["check", ".", "--labels", "no-such-run"],
        ["export", "--format", "torch"],
        ["evaluate", "--engine", "onnx"],
        ["evaluate", "--min", "acuracy=0.9"],
        ["evaluate", "--max-drop", "1%"],
        ["compare"],
        ["compare", "one"],
        ["compare", "no-such-run", "nor-this"],
        ["explain"],
        ["explain", "x.jpg", "--run", "no-such-run"],
    ],
)
def test_wrong_usage_is_2(args: list[str], dlcli: Command, tmp_path: Path) -> None:
    done = dlcli(*args, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr
    assert "Traceback" not in done.stderr


def write_sized(folder: Path, count: int, size: tuple[int, int]) -> None:
    """Two classes, a and b, of `count` pictures of `size` (width, height) each."""
    for tint, name in enumerate("ab"):
        for number in range(count):
            write_image(folder / name / f"{number}.png", count * tint + number, size, tint)


def test_init_writes_a_spec_that_trains(tmp_path: Path, dlcli: Command) -> None:
    write_sized(tmp_path / "my photos", 5, (100, 80))
    made = dlcli("init", "my photos", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "10 pictures in 2 classes: a 5, b 5" in made.stderr
    assert "it builds on a network trained on photos" in made.stderr
    assert "dlcli train dlcli.yaml" in made.stdout
    trained = dlcli("train", "dlcli.yaml", "--json", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["classes"] == ["a", "b"]


@pytest.mark.slow
def test_init_of_small_pictures_writes_a_spec_that_trains_from_nothing(
    tmp_path: Path, dlcli: Command
) -> None:
    write_sized(tmp_path / "small", 12, (30, 28))
    made = dlcli("init", "small", "-o", "own.yaml", "--json", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    document = json.loads(made.stdout)
    assert (document["template"], document["image_size"]) == ("scratch", [28, 28])
    assert "too small for a network trained on photos" in made.stderr
    options = ("--set", "train.epochs=2", "--json", "--quiet")
    trained = dlcli("train", "own.yaml", *options, cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["model"]["backbone"] is None


def test_init_overwrites_only_with_force(tmp_path: Path, dlcli: Command) -> None:
    spec = tmp_path / "dlcli.yaml"
    spec.write_text("mine")
    refused = dlcli("init", cwd=tmp_path)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert spec.read_text() == "mine"
    assert dlcli("init", "--force", cwd=tmp_path).returncode == 0
    assert spec.read_text() != "mine"


TEMPLATES = ["full", "resnet152", "resnet18", "scratch", "transfer", "vgg16"]


def test_init_lists_templates(dlcli: Command) -> None:
    listed = json.loads(dlcli("init", "--list", "--json").stdout)["templates"]
    assert sorted(listed) == TEMPLATES
    assert all(listed.values())
    lines = dlcli("init", "--list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == TEMPLATES


def test_init_prints_the_schema(dlcli: Command) -> None:
    done = dlcli("init", "--schema")
    assert (done.returncode, done.stderr) == (0, "")
    schema = json.loads(done.stdout)
    assert {"data", "model", "augment", "train"} == set(schema["properties"])


def test_init_list_writes_nothing(tmp_path: Path, dlcli: Command) -> None:
    for option in ("--list", "--schema"):
        assert dlcli("init", option, cwd=tmp_path).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_models_lists_the_backbones(dlcli: Command) -> None:
    done = dlcli("models")
    assert (done.returncode, done.stderr) == (0, "")
    heading, *rows = done.stdout.splitlines()
    names = [row.split()[0] for row in rows]
    assert heading.split() == ["backbone", "parameters", "input", "ImageNet", "weights"]
    assert names[0] == "efficientnet-lite0"
    assert {"vgg16", "resnet50", "resnet152"} <= set(names)
    listed = json.loads(dlcli("models", "--json").stdout)["models"]
    assert [model["name"] for model in listed] == names
    assert listed[0]["weights"] == "here"
