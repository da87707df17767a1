"""Where a network sees a class: maps worked by hand, and which maps they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli import backend
from dlcli.runtime.head import Head


@pytest.fixture(scope="module")
def layers() -> Any:
    """Keras' layers."""
    backend.prepare()
    return backend.keras.layers


def pixels(size: int = 8, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)


def head(num_features: int, num_classes: int = 3, seed: int = 1) -> Head:
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(num_features, num_classes)).astype(np.float32)
    return Head(weights, np.zeros(num_classes, np.float32), 2.0)


def network(size: int, build: Callable[[Any], Any]) -> Any:
    """`build` makes features of a picture of `size` x `size`."""
    keras = backend.keras
    keras.utils.set_random_seed(0)
    seen = keras.Input((size, size, 3))
    return keras.Model(seen, build(seen))


def evidence(body: Any, on_top: Head, picture: NDArray[np.uint8], label: int = 0) -> Any:
    from dlcli.models.grad_cam import make_grad_cam

    cam = make_grad_cam(body, on_top)
    assert cam is not None
    return cam.evidence(picture, label)


def test_a_map_worked_by_hand(layers: Any) -> None:
    """Two channels, red and blue by themselves, averaged over 4 x 4 places. Class 0 wants red
    (2 against 1 and 0, so 1 beyond the mean) and no blue (-3 against 0 and 0: 2 less)."""
    body = network(
        4,
        lambda seen: layers.GlobalAveragePooling2D()(
            layers.Conv2D(2, 1, use_bias=False, name="colors")(seen)
        ),
    )
    body.get_layer("colors").set_weights([np.array([[[[1, 0], [0, 0], [0, 1]]]], np.float32)])
    weights = np.array([[2, 1, 0], [-3, 0, 0]], np.float32)
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[0, 0] = (160, 9, 0)  # 160 red: 160 * 1 / 16
    picture[0, 1] = (96, 200, 16)  # 96 red, 16 blue: (96 * 1 - 16 * 2) / 16
    picture[3, 3] = (16, 0, 96)  # more blue than red: nothing
    expected = np.zeros((4, 4))
    expected[0, :2] = 10, 4
    found = evidence(body, Head(weights, np.zeros(3, np.float32)), picture)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    # Class 2 has 1 less than the mean of red, and 1 more of blue.
    of_blue = np.zeros((4, 4))
    of_blue[3, 3] = (96 - 16) / 16
    found = evidence(body, Head(weights, np.zeros(3, np.float32)), picture, label=2)
    np.testing.assert_allclose(found, of_blue, atol=1e-4)


def test_behind_a_flattened_map_each_place_has_its_own_weight(layers: Any) -> None:
    body = network(
        4, lambda seen: layers.Flatten()(layers.Conv2D(1, 1, use_bias=False, name="red")(seen))
    )
    body.get_layer("red").set_weights([np.array([[[[1], [0], [0]]]], np.float32)])
    weights = np.zeros((16, 2), np.float32)
    weights[5] = 1, -1
    weights[6] = -1, 1
    picture = np.full((4, 4, 3), 200, np.uint8)
    expected = np.zeros(16)
    expected[5] = 200
    found = evidence(body, Head(weights, np.zeros(2, np.float32)), picture)
    np.testing.assert_allclose(found, expected.reshape(4, 4), atol=1e-4)


def test_it_is_grad_cam_where_places_are_averaged(layers: Any) -> None:
    """Against Selvaraju's formula, with gradients of the class's score on their own."""
    keras = backend.keras
    body = network(
        16,
        lambda seen: layers.GlobalAveragePooling2D()(
            layers.Conv2D(6, 3, 2, activation="relu", padding="same", name="last")(
                layers.Conv2D(4, 3, activation="relu", padding="same")(seen)
            )
        ),
    )
    on_top, picture = head(6), pixels(16)
    tensorflow = backend.tensorflow()
    both = keras.Model(body.input, [body.get_layer("last").output, body.output])
    with tensorflow.GradientTape() as tape:
        last, features = both(picture[None].astype(np.float32))
        score = tensorflow.linalg.matmul(features, on_top.weights)
        score = score[0, 1] - tensorflow.reduce_mean(score)
    slopes = np.asarray(tape.gradient(score, last))[0].mean(axis=(0, 1))
    expected = np.maximum((np.asarray(last)[0] * slopes).sum(axis=-1), 0)
    assert expected.any()
    np.testing.assert_allclose(evidence(body, on_top, picture, 1), expected, rtol=1e-4, atol=1e-6)


def test_evidence_lies_where_it_is(layers: Any) -> None:
    """A body that sees brightness: what is moved in the picture moves in the map."""
    body = network(
        32,
        lambda seen: layers.GlobalAveragePooling2D()(
            layers.AveragePooling2D(4)(layers.Conv2D(2, 1, use_bias=False, name="colors")(seen))
        ),
    )
    body.get_layer("colors").set_weights([np.array([[[[1, 0], [0, 0], [0, 1]]]], np.float32)])
    weights = Head(np.eye(2, dtype=np.float32), np.zeros(2, np.float32))
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[8:12, 20:24, 0] = 255
    found = evidence(body, weights, picture)
    assert found.shape == (8, 8)
    assert np.argwhere(found).tolist() == [[2, 5]]
    assert not evidence(body, weights, picture, label=1).any()


def names_of(body: Any) -> tuple[str, ...] | None:
    from dlcli.models.grad_cam import make_grad_cam

    cam = make_grad_cam(body, head(body.output.shape[-1]))
    return None if cam is None else cam.layers


def test_the_last_map_with_enough_places_is_taken(layers: Any) -> None:
    def build(seen: Any) -> Any:
        for number in range(4):  # 16, 8, 4, 2 places a side
            seen = layers.Conv2D(4, 3, 2, padding="same", name=f"conv{number}")(seen)
        return layers.GlobalAveragePooling2D()(seen)

    assert names_of(network(32, build)) == ("conv2",)
    assert names_of(network(64, build)) == ("conv3",)


def test_of_a_network_that_is_small_all_over_a_small_map_is_taken(layers: Any) -> None:
    def build(seen: Any) -> Any:
        return layers.Flatten()(layers.Conv2D(4, 4, 4, name="patches")(seen))

    assert names_of(network(8, build)) == ("patches",)


def test_a_map_that_is_squeezed_to_weigh_its_channels_goes_on(layers: Any) -> None:
    """Squeeze-and-excitation (Hu 2018): what is averaged there comes back to the map."""

    def build(seen: Any) -> Any:
        seen = layers.Conv2D(4, 3, padding="same", name="conv")(seen)
        squeezed = layers.GlobalAveragePooling2D(keepdims=True)(seen)
        gates = layers.Conv2D(4, 1, activation="sigmoid")(squeezed)
        return layers.GlobalAveragePooling2D()(layers.Multiply(name="weighed")([seen, gates]))

    assert names_of(network(8, build)) == ("weighed",)


def test_branches_that_are_averaged_apart_are_added_up(layers: Any) -> None:
    def build(seen: Any) -> Any:
        fine = layers.Conv2D(2, 3, padding="same", activation="relu", name="fine")(seen)
        coarse = layers.Conv2D(3, 2, 2, activation="relu", name="coarse")(seen)
        pool = layers.GlobalAveragePooling2D
        return layers.Concatenate()([pool()(fine), pool()(coarse)])

    body = network(8, build)
    assert set(names_of(body) or ()) == {"fine", "coarse"}
    rng = np.random.default_rng(2)
    ahead = np.abs(rng.normal(size=(5, 1))).astype(np.float32)
    on_top = Head(np.concatenate([ahead, -ahead], axis=1), np.zeros(2, np.float32))
    picture = pixels(8)
    found = evidence(body, on_top, picture)
    assert found.shape == (8, 8)
    features = np.asarray(body(picture[None].astype(np.float32)))
    # Nothing is below zero here, so all that the score is made of is in the map.
    assert found.sum() == pytest.approx(float((features @ ahead)[0, 0]), rel=1e-3)


@pytest.mark.parametrize("kind", ["dense", "rescaled", "one_place"])
def test_a_network_without_places_has_no_map(kind: str, layers: Any) -> None:
    def build(seen: Any) -> Any:
        if kind == "rescaled":
            seen = layers.Rescaling(1 / 255)(seen)
        if kind == "one_place":
            seen = layers.Conv2D(4, 8)(seen)
        return layers.Dense(5)(layers.Flatten()(seen))

    assert names_of(network(8, build)) is None


def test_a_grid_of_features_counts_in_its_cell_alone(layers: Any) -> None:
    from dlcli.models.layout import with_layout
    from dlcli.models.model import build_body

    assert layers
    backend.keras.utils.set_random_seed(0)
    body = build_body("efficientnet-lite0", (224, 224))
    grid = with_layout(body)
    assert names_of(grid) == ("block13_add", "head_relu6")
    assert names_of(body) == ("head_relu6",)
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (224, 224, 3), np.uint8)
    weights = np.zeros((1280 + 9 * 192, 2), np.float32)
    weights[:1280] = rng.normal(size=(1280, 2))
    zeros = np.zeros(2, np.float32)
    np.testing.assert_allclose(
        evidence(grid, Head(weights, zeros), picture),
        evidence(body, Head(weights[:1280], zeros), picture),
        rtol=1e-3,
        atol=1e-7,
    )
    corner = np.zeros_like(weights)
    corner[1280 : 1280 + 192] = rng.normal(size=(192, 2))
    places = np.argwhere(evidence(grid, Head(corner, zeros), picture))
    assert len(places)
    assert places.max() <= 1  # the first of the cells has 2 x 2 of the 7 x 7 places
    last = np.zeros_like(weights)
    last[-192:] = rng.normal(size=(192, 2))
    places = np.argwhere(evidence(grid, Head(last, zeros), picture))
    assert len(places)
    assert places.min() >= 5


def test_a_network_that_brings_its_own_softmax_gives_the_same_map(layers: Any) -> None:
    """A list of layers that ends with `head: none` has the logarithms of its probabilities as
    features. Taken by themselves they would hardly move where the network is sure."""
    keras = backend.keras

    def build(seen: Any) -> Any:
        seen = layers.Conv2D(4, 3, padding="same", activation="relu")(seen)
        return layers.Dense(3, name="logits")(layers.GlobalAveragePooling2D()(seen))

    plain = network(8, build)
    kernel, bias = plain.get_layer("logits").get_weights()
    plain.get_layer("logits").set_weights([kernel / 20, bias])
    soft = layers.Softmax()(plain.output)
    logarithms = keras.ops.log(keras.ops.maximum(soft, 1e-12))
    identity = Head(np.eye(3, dtype=np.float32), np.zeros(3, np.float32))
    picture, found = pixels(8), []
    for label in range(3):
        expected = evidence(plain, identity, picture, label)
        got = evidence(keras.Model(plain.input, logarithms), identity, picture, label)
        np.testing.assert_allclose(got, expected, rtol=1e-2, atol=1e-4)
        found.append(expected)
    assert sum(one.any() for one in found) >= 2
