"""ONNX files, as onnxruntime reads them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlcli import backend
from dlcli.data.pixels import PixelFormat
from dlcli.errors import ResourceError

NAMES = ("cat", "dög", "\udcff")
FORMAT = PixelFormat((12, 10), "pad")


@pytest.fixture(scope="module")
def keras() -> Any:
    backend.prepare()
    from dlcli.backend import keras

    return keras


def network(keras: Any, *layers: Any) -> Any:
    """From pixels to three probabilities, with random weights."""
    pixels = keras.Input((12, 10, 3))
    features = pixels
    for layer in layers:
        features = layer(features)
    features = keras.layers.GlobalAveragePooling2D()(features)
    model = keras.Model(pixels, keras.layers.Dense(3, activation="softmax")(features))
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(0, 0.2, variable.shape))
    return model


@pytest.mark.slow
def test_it_answers_as_keras_does_for_any_number_of_pictures(keras: Any, tmp_path: Path) -> None:
    import onnx
    import onnxruntime

    from dlcli.export.onnx import write_onnx

    layers = keras.layers
    model = network(
        keras,
        layers.Normalization(mean=[120.0, 110.0, 100.0], variance=[3000.0, 2500.0, 2000.0]),
        layers.Conv2D(8, 3, padding="same"),
        layers.BatchNormalization(),
        layers.Activation("hard_swish"),
        layers.DepthwiseConv2D(3, strides=2),
        layers.Dropout(0.5),
    )
    path = tmp_path / "model.onnx"
    write_onnx(model, NAMES, FORMAT, path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (source,), (target,) = session.get_inputs(), session.get_outputs()
    assert (source.name, source.shape, source.type) == (
        "image",
        ["batch", 12, 10, 3],
        "tensor(float)",
    )
    assert (target.name, target.shape) == ("probabilities", ["batch", 3])
    for count in (1, 5):
        pixels = np.random.default_rng(count).integers(0, 256, (count, 12, 10, 3))
        pixels = pixels.astype(np.float32)
        (found,) = session.run(None, {"image": pixels})
        np.testing.assert_allclose(found, model.predict_on_batch(pixels), atol=1e-5)
    facts = {prop.key: json.loads(prop.value) for prop in onnx.load(str(path)).metadata_props}
    assert facts["class_names"] == list(NAMES)
    assert facts["preprocessing"] == {"image_size": [12, 10], "resize": "pad", "color": "rgb"}


@pytest.mark.slow
def test_an_operation_that_onnx_lacks_is_named(keras: Any, tmp_path: Path) -> None:
    from dlcli.export.onnx import write_onnx

    model = network(keras, keras.layers.Conv2D(4, 3, activation="gelu"))
    with pytest.raises(ResourceError, match=r"no operation for .*: Erfc\. Take another --format"):
        write_onnx(model, NAMES, FORMAT, tmp_path / "model.onnx")
