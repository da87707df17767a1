"""EfficientNet-Lite in Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcli import backend
from dlcli.models.bundled_weights import read_tensors
from dlcli.models.registry import BACKBONES, LiteNetwork, PackagedWeights

LITE = [name for name, one in BACKBONES.items() if isinstance(one.network, LiteNetwork)]


@pytest.fixture(scope="module")
def lite() -> Any:
    """The module, which needs Keras."""
    backend.prepare()
    from dlcli.models import efficientnet_lite

    return efficientnet_lite


@pytest.fixture(scope="module")
def body(lite: Any) -> Any:
    return lite.build_body("efficientnet-lite0", (64, 64))


@pytest.mark.parametrize("name", LITE)
def test_the_packaged_weights_fit_a_body_that_is_as_large_as_registered(
    lite: Any, name: str
) -> None:
    backbone = BACKBONES[name]
    weights, network = backbone.weights, backbone.network
    assert isinstance(weights, PackagedWeights)
    assert isinstance(network, LiteNetwork)
    body = lite.build_body(name, (64, 64), width=network.width, depth=network.depth)
    assert body.count_params() == backbone.parameters
    assert body.output_shape == (None, backbone.num_features)
    if not backbone.are_weights_here():
        pytest.skip(f"the weights of {name} are not installed")
    tensors = read_tensors(backbone.weights_path(), weights.sha256, weights.package)
    used = [key for key in tensors if not key.startswith("_fc.") and "num_batches" not in key]
    assert sum(tensors[key].size for key in used) == backbone.parameters
    lite.set_weights(body, tensors)


def test_lite0_has_3_413_024_parameters(body: Any) -> None:
    assert body.count_params() == 3_413_024


def test_parameters_do_not_depend_on_the_size_of_the_pictures(lite: Any) -> None:
    oblong = lite.build_body("efficientnet-lite0", (32, 96))
    assert oblong.count_params() == 3_413_024
    assert oblong.input_shape == (None, 32, 96, 3)


def test_it_shrinks_a_picture_32_times(body: Any) -> None:
    assert body.get_layer("stem_conv").output.shape[1:] == (32, 32, 32)
    assert body.get_layer("head_conv").output.shape[1:] == (2, 2, 1280)


def test_pixels_are_scaled_as_the_weights_expect(body: Any) -> None:
    pixels = np.array([0, 127, 255], np.float32).reshape(1, 1, 1, 3)
    scaled = np.asarray(body.get_layer("normalize")(pixels)).ravel()
    np.testing.assert_allclose(scaled, [-127 / 128, 0, 1], atol=1e-6)


def test_the_larger_variants_are_wider_and_deeper(lite: Any) -> None:
    """Lite4 as published: 13.0 million parameters with the head of 1000 classes."""
    lite4 = lite.build_body("efficientnet-lite4", (64, 64), width=1.4, depth=1.8)
    assert lite4.count_params() + 1_281_000 == pytest.approx(13.0e6, rel=0.01)
