"""The templates that `init` writes."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from dlcli.spec.loader import load_spec
from dlcli.spec.reader import read_spec_text
from dlcli.spec.schema import Spec

FOLDER = Path(str(resources.files("dlcli.spec"))) / "templates"
TEMPLATES = sorted(FOLDER.rglob("*.yaml"))


def test_all_templates_are_seen() -> None:
    assert {path.stem for path in TEMPLATES} >= {"full", "transfer"}
    assert len(TEMPLATES) == sum(path.is_file() for path in FOLDER.rglob("*"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_loads(path: Path) -> None:
    assert load_spec(path).data.folder == path.parent / "animals"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_opens_with_the_command_that_uses_it(path: Path) -> None:
    first, *rest = path.read_text(encoding="utf-8").splitlines()
    assert first == "# dlcli train dlcli.yaml"
    assert any("Expect" in line for line in rest if line.startswith("#"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_names_the_example_folder_that_init_replaces(path: Path) -> None:
    assert path.read_text(encoding="utf-8").count("  folder: ./animals ") == 1


def test_full_holds_every_key_with_its_default() -> None:
    written = read_spec_text(FOLDER / "full.yaml").values
    assert keys(written) == keys(Spec().model_dump())
    loaded = load_spec(FOLDER / "full.yaml")
    without_folder = loaded.data.model_copy(update={"folder": None})
    assert loaded.model_copy(update={"data": without_folder}) == Spec()


def test_transfer_trains_as_the_defaults_do() -> None:
    loaded = load_spec(FOLDER / "transfer.yaml")
    assert loaded.model_copy(update={"data": Spec().data}) == Spec()


def keys(values: dict[str, Any], above: str = "") -> set[str]:
    found = set()
    for key, value in values.items():
        found.add(above + key)
        if isinstance(value, dict):
            found |= keys(value, f"{above}{key}.")
    return found
