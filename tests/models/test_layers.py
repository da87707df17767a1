"""The layer language in Keras: VGG16 and ResNet-152 are the very networks of keras.applications."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcli import backend
from dlcli.spec.layers import parse_layers
from dlcli.spec.loader import load_spec
from dlcli.spec.walk import MisfitError
from tests.conftest import ROOT

TEMPLATES = ROOT / "dlcli" / "spec" / "templates"
LAYERS = ("model", "layers")


@pytest.fixture(scope="module")
def keras() -> Any:
    backend.prepare()
    return backend.keras


def build(items: list[Any], shape: tuple[int, ...]) -> Any:
    backend.prepare()
    from dlcli.models.layers import build_layers

    network, faults = parse_layers(items, LAYERS)
    assert not faults
    pixels = backend.keras.Input(shape, name="pixels")
    return backend.keras.Model(pixels, build_layers(network, pixels)[0])


def build_template(name: str, image_size: int, num_classes: int) -> Any:
    backend.prepare()
    from dlcli.models.network import build_network

    size = f"data.image_size={image_size}"
    return build_network(load_spec(TEMPLATES / f"{name}.yaml", (size,)), num_classes).model


def vgg16_pairs(ours: Any, theirs: Any) -> Iterator[tuple[Any, Any]]:
    yield from zip(
        (layer for layer in ours.layers if layer.weights),
        (layer for layer in theirs.layers if layer.weights),
        strict=True,
    )


def resnet152_pairs(ours: Any, theirs: Any) -> Iterator[tuple[Any, Any]]:
    """Each layer of ours with the one that keras.applications names by stage, block and place."""
    outer = {"conv1_conv": "conv2d_2", "conv1_bn": "batch_normalization_3"}
    kinds = {"conv": ("conv2d", 0), "bn": ("batch_normalization", 1)}
    for layer in theirs.layers:
        if not layer.weights:
            continue
        block = re.fullmatch(r"conv(\d)_block(\d+)_(\d)_(conv|bn)", layer.name)
        if block is None:
            yield ours.get_layer(outer.get(layer.name, "probabilities")), layer
            continue
        stage, number, place = (int(part) for part in block.groups()[:3])
        kind, offset = kinds[block[4]]
        item = 3 * (stage - 2)
        inside = 3 * (place - 1) + offset
        if number > 1:
            name = f"{kind}_{9 + item}_{number - 2}_0_{inside}"
        elif place:
            name = f"{kind}_{7 + item}_0_{inside}"
        else:
            name = f"{kind}_{7 + item}_1_{offset}"
        yield ours.get_layer(name), layer


def shaken(layer: Any, rng: np.random.Generator) -> list[Any]:
    """Weights as they began, but no two alike: ones and zeros would hide a wrong place."""
    return [weight * rng.uniform(0.9, 1.1, weight.shape) for weight in layer.get_weights()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("template", "constructor", "parameters", "pairs"),
    [
        ("vgg16", "VGG16", 138_357_544, vgg16_pairs),
        ("resnet152", "ResNet152", 60_419_944, resnet152_pairs),
    ],
)
def test_a_template_is_the_network_of_keras_applications(
    keras: Any, template: str, constructor: str, parameters: int, pairs: Any
) -> None:
    ours = build_template(template, 224, 1000)
    theirs = getattr(keras.applications, constructor)(weights=None)
    assert ours.count_params() == theirs.count_params() == parameters
    rng = np.random.default_rng(0)
    copied = 0
    for own, other in pairs(ours, theirs):
        weights = shaken(other, rng)
        own.set_weights(weights)
        other.set_weights(weights)
        copied += own.count_params()
    assert copied == parameters
    pixels = rng.uniform(0, 255, (2, 224, 224, 3)).astype(np.float32)
    rescaled = ours.layers[1](pixels)
    difference = np.abs(ours(pixels) - theirs(rescaled)).max()
    assert difference <= 1e-5


def test_names_come_from_the_spec_and_never_from_a_counter(keras: Any) -> None:
    items = [{"rescaling": 0.1}, {"conv2d": {"filters": 2, "kernel_size": 1}}, "relu", "flatten"]
    first = [layer.name for layer in build(items, (4, 4, 1)).layers]
    keras.layers.Conv2D(2, 1)
    second = [layer.name for layer in build(items, (4, 4, 1)).layers]
    assert first == second == ["pixels", "rescaling_0", "conv2d_1", "relu_2", "flatten_3"]


def test_a_repeat_has_weights_of_its_own_each_time() -> None:
    model = build(
        [{"repeat": 3, "layers": [{"dense": {"units": 4, "name": "deep"}}, "relu"]}], (4,)
    )
    assert [layer.name for layer in model.layers[1::2]] == ["deep_0", "deep_1", "deep_2"]
    assert model.count_params() == 3 * (4 * 4 + 4)


def test_a_residual_adds_and_its_shortcut_follows_the_shapes() -> None:
    same = build([{"residual": [{"dense": {"units": 4, "kernel_initializer": "zeros"}}]}], (4,))
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_allclose(same(x), x)
    convolution = {"conv2d": {"filters": 8, "kernel_size": 3, "strides": 2, "padding": "same"}}
    differs = build([{"residual": [convolution]}], (7, 7, 2))
    assert differs.output_shape == (None, 4, 4, 8)
    assert differs.get_layer("shortcut_0_conv").strides == (2, 2)
    assert not differs.get_layer("shortcut_0_conv").use_bias


@pytest.mark.parametrize(("merge", "channels"), [("concatenate", 5), ("add", 3)])
def test_branches_join(merge: str, channels: int) -> None:
    one = {"conv2d": {"filters": 3, "kernel_size": 1}}
    other = {"conv2d": {"filters": 3 if merge == "add" else 2, "kernel_size": 1}}
    model = build([{"branches": [[one], [other, "relu"]], "merge": merge}], (4, 4, 1))
    assert model.output_shape == (None, 4, 4, channels)


def test_what_keras_refuses_names_the_layer() -> None:
    with pytest.raises(MisfitError) as caught:
        build(["relu", {"einsum_dense": {"equation": "abcd,de->abce", "output_shape": 3}}], (4, 4))
    assert caught.value.location[:3] == (*LAYERS, 1)
    assert "(4, 4)" in caught.value.what


@pytest.mark.slow
def test_every_template_builds_and_trains_a_step(keras: Any) -> None:
    """On 64 px pictures, with the optimizer and the augmentation of the template."""
    backend.prepare()
    from dlcli.models.network import build_network
    from dlcli.training.augment import augmentation_layers
    from dlcli.training.stages import resolve_spec

    trained = set()
    for path in sorted(TEMPLATES.rglob("*.yaml")):
        spec = load_spec(path, ("data.image_size=64",))
        if spec.begins_trained:
            continue  # their body is built elsewhere, and tests/e2e and tests/training train them
        spec = resolve_spec(spec, 100)
        built = build_network(spec, 3)
        pixels = np.random.default_rng(0).uniform(0, 255, (4, 64, 64, 3)).astype(np.float32)
        model = keras.Sequential([*augmentation_layers(spec.augment), built.model])
        model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
        before = built.classifier.get_weights()[0]
        loss = model.train_on_batch(pixels, np.array([0, 1, 2, 0]))
        assert np.isfinite(loss)
        assert not np.array_equal(before, built.classifier.get_weights()[0])
        trained.add(path.stem)
    assert trained == {"scratch", "vgg16", "resnet18", "resnet152"}


def test_the_templates_lie_where_they_are_looked_for() -> None:
    assert len(list(Path(TEMPLATES).rglob("*.yaml"))) == 6
