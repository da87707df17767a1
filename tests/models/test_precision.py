"""Mixed precision: a twin computes with half the bits, the network itself stays float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcli import backend


@pytest.fixture(scope="module")
def keras() -> Any:
    backend.prepare()
    return backend.keras


@pytest.fixture
def model(keras: Any) -> Any:
    """Standardises, convolves, answers."""
    inputs = keras.Input((4, 4, 1))
    x = keras.layers.Normalization(mean=[2.0], variance=[4.0])(inputs)
    x = keras.layers.Conv2D(3, 2)(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(x))


def pixels() -> Any:
    return np.random.default_rng(0).uniform(0, 8, (5, 4, 4, 1)).astype(np.float32)


def test_float32_is_the_network_itself(model: Any) -> None:
    from dlcli.models.precision import in_precision

    with in_precision(model, "float32") as twin:
        assert twin is model


@pytest.mark.parametrize(
    ("precision", "compute", "near"),
    [("mixed_bfloat16", "bfloat16", 3e-2), ("mixed_float16", "float16", 4e-3)],
)
def test_the_twin_computes_with_half_the_bits(
    model: Any, precision: str, compute: str, near: float
) -> None:
    from dlcli.models.precision import in_precision

    with in_precision(model, precision) as twin:
        layers = [layer for layer in twin.layers if layer.weights]
        assert {layer.compute_dtype for layer in layers[:-1]} == {compute}
        assert {weight.dtype for layer in layers[1:] for weight in layer.weights} == {"float32"}
        assert (layers[-1].compute_dtype, twin.output.dtype) == ("float32", "float32")
        answers, expected = np.asarray(twin(pixels())), np.asarray(model(pixels()))
    np.testing.assert_allclose(answers, expected, atol=near)
    assert np.abs(answers - expected).max() > 0
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}


def test_the_network_gets_what_the_twin_has_learned(model: Any) -> None:
    from dlcli.models.precision import in_precision

    before = model.get_weights()
    with in_precision(model, "mixed_bfloat16") as twin:
        assert all(map(np.array_equal, twin.get_weights(), before))
        twin.layers[-1].set_weights([np.ones((3, 2)), np.full(2, 1 + 2**-20)])
    kernel, bias = model.layers[-1].get_weights()
    assert kernel.min() == 1
    np.testing.assert_array_equal(bias, np.full(2, 1 + 2**-20, np.float32))
    assert np.isfinite(np.asarray(model(pixels()))).all()


def test_a_small_gradient_of_float16_survives_by_a_scaled_loss(keras: Any) -> None:
    from dlcli.models.precision import scale_loss

    changes = {}
    for precision in ("mixed_bfloat16", "mixed_float16"):
        weight = keras.Variable(np.zeros(1, np.float32))
        optimizer = scale_loss(keras.optimizers.SGD(1.0), precision)
        optimizer.build([weight])
        scaled = float(optimizer.scale_loss(1e-9))
        gradient = np.float16(scaled)  # as a layer of float16 would give it
        optimizer.apply([keras.ops.convert_to_tensor([float(gradient)])], [weight])
        changes[precision] = float(weight.numpy()[0])
    assert changes["mixed_bfloat16"] == 0, "1e-9 is nothing in float16"
    assert changes["mixed_float16"] == pytest.approx(-1e-9, rel=1e-2)
