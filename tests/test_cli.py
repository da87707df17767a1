"""The command line itself: help, usage errors, streams."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlcli import __version__
from tests.conftest import Command, write_classes

COMMANDS = ("init", "train", "evaluate", "predict", "export")


def test_help_lists_the_commands(dlcli: Command) -> None:
    done = dlcli("--help")
    assert done.returncode == 0
    assert [name for name in COMMANDS if f"  {name} " in done.stdout] == list(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_a_worked_example(command: str, dlcli: Command) -> None:
    done = dlcli(command, "--help")
    assert done.returncode == 0
    assert f"\n      dlcli {command} " in done.stdout
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
        ["export", "--format", "torch"],
    ],
)
def test_wrong_usage_is_2(args: list[str], dlcli: Command, tmp_path: Path) -> None:
    done = dlcli(*args, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_init_writes_a_spec_that_trains(tmp_path: Path, dlcli: Command) -> None:
    write_classes(tmp_path / "my photos", {"a": 5, "b": 5})
    made = dlcli("init", "my photos", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "10 pictures in 2 classes: a 5, b 5" in made.stderr
    assert "dlcli train dlcli.yaml" in made.stdout
    trained = dlcli("train", "dlcli.yaml", "--json", cwd=tmp_path)
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["classes"] == ["a", "b"]


def test_init_overwrites_only_with_force(tmp_path: Path, dlcli: Command) -> None:
    spec = tmp_path / "dlcli.yaml"
    spec.write_text("mine")
    refused = dlcli("init", cwd=tmp_path)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert spec.read_text() == "mine"
    assert dlcli("init", "--force", cwd=tmp_path).returncode == 0
    assert spec.read_text() != "mine"


def test_init_lists_templates(dlcli: Command) -> None:
    listed = json.loads(dlcli("init", "--list", "--json").stdout)["templates"]
    assert {"transfer", "full"} <= set(listed)
    assert all(listed.values())
