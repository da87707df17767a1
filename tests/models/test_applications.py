"""The networks of keras.applications as bodies, against what Keras itself gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcli import backend
from dlcli.models.registry import BACKBONES
from tests.models import make_applications, networks

EACH_PREPROCESSING = ["vgg16", "mobilenet", "mobilenet-v3-small"]
CONVERTED = ["convnext-tiny", "efficientnet-b0"]
SLOW = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def _keras() -> None:
    backend.prepare()


def build(name: str, size: tuple[int, int] = (32, 32)) -> Any:
    from dlcli.models.applications import build_application

    return build_application(name, networks.application(name), size)


@pytest.mark.parametrize(
    "name",
    [
        *EACH_PREPROCESSING,
        "efficientnet-b0",
        pytest.param("densenet121", marks=SLOW),
        pytest.param("convnext-tiny", marks=SLOW),
        pytest.param("inception-v3", marks=SLOW),
    ],
)
def test_features_are_those_of_keras_with_the_same_file(name: str, tmp_path: Path) -> None:
    from dlcli.models.weight_files import load_weights

    file = networks.write_legacy(networks.keras_network(name), tmp_path / "notop.h5")
    theirs = networks.keras_network(name, file)
    body = build(name, (BACKBONES[name].least_image_size,) * 2)
    assert not load_weights(body, file)
    pixels = networks.noise(body)
    expected = networks.keras_features(name, theirs, pixels)
    scale = np.abs(expected).max()
    assert scale > 1e-3
    np.testing.assert_allclose(networks.answers(body, pixels), expected, atol=1e-5 * scale)


def test_every_way_of_preprocessing_is_compared() -> None:
    compared = {networks.application(name).preprocessing for name in EACH_PREPROCESSING}
    assert compared | {networks.application("densenet121").preprocessing} == {
        networks.application(name).preprocessing
        for name in BACKBONES
        if not name.startswith("efficientnet-lite")
    }


@pytest.mark.parametrize("how", ["caffe", "tf", "torch"])
def test_pixels_are_prepared_as_keras_does(how: str) -> None:
    from dlcli.models.applications import _preprocess

    keras = backend.keras
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 4, 5, 3)).astype(np.float32)
    expected = keras.applications.imagenet_utils.preprocess_input(pixels.copy(), mode=how)
    source = keras.Input((4, 5, 3))
    found = networks.answers(keras.Model(source, _preprocess(source, how)), pixels)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_body_has_the_registered_size_and_shape() -> None:
    for name in EACH_PREPROCESSING:
        body = build(name, (32, 48))
        assert body.count_params() == BACKBONES[name].parameters
        assert body.input_shape == (None, 32, 48, 3)
        assert body.output_shape == (None, BACKBONES[name].num_features)
        assert (body.name, body.layers[0].name) == (name.replace("-", "_"), "pixels")


@pytest.mark.parametrize("name", ["mobilenet-v3-small", pytest.param("inception-v3", marks=SLOW)])
def test_layers_have_the_same_names_whatever_was_built_before(name: str) -> None:
    size = (BACKBONES[name].least_image_size,) * 2
    first, second = build(name, size), build(name, size)
    names = [operation.name for operation in first.operations]
    assert [operation.name for operation in second.operations] == names
    assert len(set(names)) == len(names)
    assert [weight.path for weight in second.weights] == [weight.path for weight in first.weights]
    stems = {found.rpartition("_")[0] for found in names if found.endswith("_1")}
    assert all(stem in names for stem in stems & {"conv2d", "batch_normalization", "multiply"})


def test_numbers_follow_the_order_in_which_the_layers_were_made() -> None:
    from dlcli.models.applications import _names

    keras = backend.keras
    made = [keras.layers.Conv2D(1, 1, name=f"conv2d_{number}") for number in (12, 9, 100)]
    fixed = [keras.layers.Conv2D(1, 1, name="conv2d_bn"), keras.layers.ReLU(name="stem_1")]
    assert _names([*made, *fixed]) == {
        "conv2d_12": "conv2d_1",
        "conv2d_9": "conv2d",
        "conv2d_100": "conv2d_2",
        "conv2d_bn": "conv2d_bn",
        "stem_1": "stem_1",
    }


@pytest.mark.parametrize("name", ["vgg16", pytest.param("efficientnet-b0", marks=SLOW)])
def test_a_saved_body_opens_without_dlcli_and_answers_the_same(name: str, tmp_path: Path) -> None:
    body = build(name)
    body.save(tmp_path / "body.keras")
    opened = backend.keras.saving.load_model(tmp_path / "body.keras", safe_mode=True)
    pixels = networks.noise(body)
    np.testing.assert_array_equal(networks.answers(opened, pixels), networks.answers(body, pixels))


def test_an_efficientnet_with_random_weights_sees_normalized_pixels() -> None:
    body = build("efficientnet-b0")
    scaled = backend.keras.Model(body.input, body.get_layer("normalization_scale").output)
    pixels = np.full((1, 32, 32, 3), 255, np.float32)
    expected = (1 - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225]) ** 1.5
    np.testing.assert_allclose(networks.answers(scaled, pixels)[0, 0, 0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    "name",
    ["vgg16", "mobilenet-v3-small", *(pytest.param(name, marks=SLOW) for name in CONVERTED)],
)
def test_a_body_converts_to_operations_that_every_runtime_has(name: str, tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    from dlcli.models.convert_body import to_litert
    from dlcli.runtime.litert import LiteRtBody

    body = build(name)
    path = tmp_path / "body.tflite"
    path.write_bytes(to_litert(body))
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    Interpreter(str(path), experimental_op_resolver_type=plain).allocate_tensors()
    pixels = networks.noise(body)
    expected = networks.answers(body, pixels)
    found = LiteRtBody(path, (32, 32)).features(pixels.astype(np.uint8))
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(1, np.abs(expected).max()))


def test_the_file_holds_every_constructor_of_keras() -> None:
    names = make_applications.constructor_names()
    assert len(names) == 40
    expected = {make_applications.backbone_name(name): name for name in names}
    found = {
        name: networks.application(name).constructor
        for name in BACKBONES
        if not name.startswith("efficientnet-lite")
    }
    assert found == expected


@pytest.mark.parametrize(
    ("constructor", "name"),
    [
        ("ConvNeXtXLarge", "convnext-xlarge"),
        ("EfficientNetB0", "efficientnet-b0"),
        ("EfficientNetV2B0", "efficientnetv2-b0"),
        ("EfficientNetV2S", "efficientnetv2-s"),
        ("InceptionResNetV2", "inception-resnet-v2"),
        ("MobileNet", "mobilenet"),
        ("MobileNetV3Small", "mobilenet-v3-small"),
        ("NASNetMobile", "nasnet-mobile"),
        ("ResNet152", "resnet152"),
        ("ResNet152V2", "resnet152-v2"),
        ("VGG16", "vgg16"),
        ("Xception", "xception"),
    ],
)
def test_a_constructor_gives_a_backbone_its_name(constructor: str, name: str) -> None:
    assert make_applications.backbone_name(constructor) == name
    assert networks.application(name).constructor == constructor


def test_sizes_and_preprocessing_are_those_of_keras() -> None:
    for constructor in make_applications.constructor_names():
        backbone = BACKBONES[make_applications.backbone_name(constructor)]
        size, least = make_applications.image_sizes(constructor)
        assert backbone.image_size == (size, size), constructor
        assert backbone.least_image_size == least, constructor
        found = make_applications.preprocessing(constructor)
        assert networks.application(backbone.name).preprocessing == found, constructor


@pytest.mark.parametrize("constructor", ["VGG16", "MobileNetV2", "EfficientNetB0"])
def test_what_was_generated_is_what_is_generated(constructor: str) -> None:
    import json

    written = json.loads(make_applications.APPLICATIONS.read_text(encoding="ascii"))
    facts = make_applications.facts_of(constructor)
    assert written[make_applications.backbone_name(constructor)] == facts
