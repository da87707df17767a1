"""A SavedModel as TensorFlow Serving takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli import backend
from dlcli.artifact import open_artifact
from dlcli.data.pixels import PixelFormat, decode_image
from dlcli.data.thumbnails import encode_jpeg
from dlcli.events import NullReporter
from dlcli.models.imagenet import find_imagenet
from dlcli.runtime.classifier import open_classifier

FORMAT = PixelFormat((8, 6))
NAMES = ("cat", "dög", "\udcff")


@pytest.fixture(scope="module")
def tensorflow() -> Any:
    backend.prepare()
    return backend.tensorflow()


@pytest.fixture(scope="module")
def model(tensorflow: Any) -> Any:  # noqa: ARG001 - it starts Keras
    """The mean of each channel decides: red is a cat, green a dög."""
    from dlcli.backend import keras

    pixels = keras.Input((8, 6, 3))
    means = keras.layers.GlobalAveragePooling2D()(pixels)
    classifier = keras.layers.Dense(3, activation="softmax")
    model = keras.Model(pixels, classifier(means))
    classifier.set_weights([np.eye(3, dtype=np.float32) / 20, np.zeros(3, np.float32)])
    return model


@pytest.fixture(scope="module")
def folder(model: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from dlcli.export.saved_model import write_saved_model

    parent: Path = tmp_path_factory.mktemp("served")
    assert write_saved_model(model, NAMES, FORMAT, parent) == parent / "1"
    return parent / "1"


@pytest.fixture(scope="module")
def loaded(tensorflow: Any, folder: Path) -> Any:
    return tensorflow.saved_model.load(str(folder))


def colours(*labels: int) -> NDArray[np.uint8]:
    pixels = np.zeros((len(labels), 8, 6, 3), np.uint8)
    for row, label in enumerate(labels):
        pixels[row, ..., label] = 200
    return pixels


def test_it_lies_in_a_folder_numbered_as_serving_wants_it(folder: Path) -> None:
    assert (folder / "saved_model.pb").is_file()
    assert (folder / "variables").is_dir()


def test_it_has_a_signature_for_floats_and_one_for_bytes(tensorflow: Any, loaded: Any) -> None:
    assert set(loaded.signatures) >= {"serving_default", "serve_uint8", "serve_bytes"}
    types = {"serving_default": tensorflow.float32, "serve_uint8": tensorflow.uint8}
    for name, kind in types.items():
        signature = loaded.signatures[name]
        (source,) = signature.structured_input_signature[1].values()
        assert (source.name, source.dtype, source.shape.as_list()) == (
            "pixels",
            kind,
            [None, 8, 6, 3],
        )
        outputs = signature.structured_outputs
        assert set(outputs) == {"probabilities", "label", "label_index"}
        assert outputs["label"].dtype == tensorflow.string
        assert outputs["label_index"].dtype == tensorflow.int64


@pytest.mark.parametrize("labels", [(0,), (2, 0, 1), (1,) * 7])
def test_it_gives_probabilities_and_labels_for_any_number_of_pictures(
    tensorflow: Any, model: Any, loaded: Any, labels: tuple[int, ...]
) -> None:
    pixels = colours(*labels)
    expected = model.predict_on_batch(pixels.astype(np.float32))
    for name, kind in (("serving_default", np.float32), ("serve_uint8", np.uint8)):
        answer = loaded.signatures[name](pixels=tensorflow.constant(pixels.astype(kind)))
        np.testing.assert_allclose(answer["probabilities"].numpy(), expected, atol=1e-6)
        assert tuple(answer["label_index"].numpy()) == labels
        names = [name.decode("utf-8", "surrogateescape") for name in answer["label"].numpy()]
        assert names == [NAMES[label] for label in labels]


def test_it_takes_encoded_pictures(tensorflow: Any, model: Any, loaded: Any) -> None:
    signature = loaded.signatures["serve_bytes"]
    (source,) = signature.structured_input_signature[1].values()
    assert (source.name, source.dtype, source.shape.as_list()) == (
        "image_bytes",
        tensorflow.string,
        [None],
    )
    contents = [encode_jpeg(picture) for picture in colours(2, 0, 1)]
    seen = np.stack([decode_image(content, FORMAT) for content in contents])
    answer = signature(image_bytes=tensorflow.constant(contents))
    assert tuple(answer["label_index"].numpy()) == (2, 0, 1)
    expected = model.predict_on_batch(seen.astype(np.float32))
    np.testing.assert_allclose(answer["probabilities"].numpy(), expected, atol=1e-6)


@pytest.mark.slow
def test_the_built_in_classifier_is_served_as_it_answers(tensorflow: Any, tmp_path: Path) -> None:
    from dlcli.export.saved_model import write_saved_model
    from dlcli.models.model import join_head, load_body

    classifier = open_classifier(open_artifact(find_imagenet(NullReporter())))
    body = load_body("efficientnet-lite0", (224, 224))
    names = classifier.artifact.class_names
    folder = write_saved_model(
        join_head(body, classifier.head, names), names, PixelFormat(), tmp_path
    )
    pixels = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), np.uint8)
    serve = tensorflow.saved_model.load(str(folder)).signatures["serve_uint8"]
    answer = serve(pixels=tensorflow.constant(pixels))
    expected = classifier.predict_pixels(pixels)
    np.testing.assert_allclose(answer["probabilities"].numpy(), expected, atol=1e-4)
    labels = [label.decode() for label in answer["label"].numpy()]
    assert labels == [names[index] for index in expected.argmax(axis=1)]
