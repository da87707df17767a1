"""The templates that `init` writes."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from dlcli.spec.layers import parse_layers
from dlcli.spec.loader import dump_spec, load_spec
from dlcli.spec.reader import read_spec_text
from dlcli.spec.schema import Spec
from dlcli.spec.shapes import output_shape

FOLDER = Path(str(resources.files("dlcli.spec"))) / "templates"
TEMPLATES = sorted(FOLDER.rglob("*.yaml"))
each_template = pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)


def opening(path: Path) -> tuple[str, str]:
    """The first line, and the comment below it as one line."""
    first, *rest = path.read_text(encoding="utf-8").partition("\n\n")[0].splitlines()
    return first, " ".join(line.removeprefix("#").strip() for line in rest)


def test_all_templates_are_seen() -> None:
    names = ["full", "resnet152", "resnet18", "scratch", "transfer", "vgg16"]
    assert [path.stem for path in TEMPLATES] == names
    assert len(TEMPLATES) == sum(path.is_file() for path in FOLDER.rglob("*"))


@each_template
def test_a_template_loads(path: Path) -> None:
    assert load_spec(path).data.folder == path.parent / "animals"


@each_template
def test_a_template_opens_with_the_command_that_uses_it(path: Path) -> None:
    assert opening(path)[0] == "# dlcli train dlcli.yaml"


@each_template
def test_a_template_names_the_accuracy_to_expect(path: Path) -> None:
    _, comment = opening(path)
    assert re.search(r"\b[Ee]xpect\b", comment)
    assert re.search(r"\b0\.\d\d\b", comment) or "what the transfer template gives" in comment


@each_template
def test_a_template_names_the_example_folder_that_init_replaces(path: Path) -> None:
    assert path.read_text(encoding="utf-8").count("  folder: ./animals ") == 1


@each_template
def test_what_is_dumped_is_loaded_as_the_same_spec(path: Path, tmp_path: Path) -> None:
    spec, copy = load_spec(path), tmp_path / "dlcli.yaml"
    copy.write_text(dump_spec(spec), encoding="utf-8")
    assert load_spec(copy) == spec
    assert dump_spec(load_spec(copy)) == dump_spec(spec)


def test_full_holds_every_key_with_its_default() -> None:
    written = read_spec_text(FOLDER / "full.yaml").values
    # What has no default is there as a comment.
    without = {"model.layers", "data.exclude", "data.split_from"}
    assert keys(written) == keys(Spec().model_dump()) - without
    text = (FOLDER / "full.yaml").read_text(encoding="utf-8")
    assert all(f"# {key.partition('.')[2]}:" in text for key in without)
    assert "  # layers: [...]" in (FOLDER / "full.yaml").read_text(encoding="utf-8")
    loaded = load_spec(FOLDER / "full.yaml")
    without_folder = loaded.data.model_copy(update={"folder": None})
    assert loaded.model_copy(update={"data": without_folder}) == Spec()


def test_transfer_trains_as_the_defaults_do() -> None:
    loaded = load_spec(FOLDER / "transfer.yaml")
    assert loaded.model_copy(update={"data": Spec().data}) == Spec()


@pytest.mark.parametrize(
    ("name", "features"),
    [("resnet18", 512), ("resnet152", 2048), ("scratch", 128), ("vgg16", 4096)],
)
def test_a_network_ends_with_the_features_that_its_paper_names(name: str, features: int) -> None:
    spec = load_spec(FOLDER / f"{name}.yaml")
    assert spec.model.layers is not None
    network, faults = parse_layers(spec.model.layers, ("model", "layers"))
    assert not faults
    assert network.has_head
    assert network.normalizes
    assert output_shape(network, (*spec.data.image_size, 3)) == (features,)


def keys(values: dict[str, Any], above: str = "") -> set[str]:
    found = set()
    for key, value in values.items():
        found.add(above + key)
        if isinstance(value, dict):
            found |= keys(value, f"{above}{key}.")
    return found
