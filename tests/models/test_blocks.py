"""Where a body can be cut, and into which blocks it falls."""

from __future__ import annotations

import numpy as np
import pytest

from dlcli import backend


@pytest.mark.parametrize(
    ("name", "num_blocks", "last"),
    [
        ("efficientnet-lite0", 19, ["block14_expand_conv", "block15_expand_conv", "head_conv"]),
        ("vgg16", 6, ["block3_conv1", "block4_conv1", "block5_conv1"]),
        ("mobilenet-v2", 20, ["block_15_expand", "block_16_expand", "Conv_1"]),
        ("densenet121", 63, ["conv5_block14_0_bn", "conv5_block15_0_bn", "conv5_block16_0_bn"]),
        ("inception-v3", 17, ["conv2d_72", "conv2d_80", "conv2d_89"]),
    ],
)
def test_blocks_are_what_their_names_say(name: str, num_blocks: int, last: list[str]) -> None:
    backend.prepare()
    from dlcli.models.blocks import blocks_of
    from dlcli.models.model import build_body

    backend.keras.backend.clear_session()  # numbers in names begin anew
    body = build_body(name, (96, 96))
    blocks = blocks_of(body)
    assert len(blocks) == num_blocks
    begins = [
        next(layer for layer in block.layers if body.get_layer(layer).weights)
        for block in blocks[-3:]
    ]
    assert begins == last
    layers = [layer for block in blocks for layer in block.layers]
    assert layers == [layer.name for layer in body.layers[1:]], "each layer once, in their order"


@pytest.mark.parametrize("num_blocks", [1, 2, 3, 18])
def test_the_two_parts_are_the_whole(num_blocks: int) -> None:
    backend.prepare()
    from dlcli.models.blocks import entry_of_last
    from dlcli.models.model import build_body

    keras = backend.keras
    body = build_body("efficientnet-lite0", (64, 64))
    entry = entry_of_last(body, num_blocks)
    below, above = keras.Model(body.input, entry), keras.Model(entry, body.output)
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    np.testing.assert_allclose(above(below(pixels)), body(pixels), atol=1e-5)


def test_a_body_of_fewer_blocks_is_taken_whole() -> None:
    backend.prepare()
    from dlcli.models.blocks import entry_of_last
    from dlcli.models.model import build_body

    body = build_body("efficientnet-lite0", (64, 64))
    assert entry_of_last(body, 19) is body.input
    assert entry_of_last(body, 100) is body.input


def test_layers_without_a_kernel_belong_to_the_one_before() -> None:
    backend.prepare()
    from dlcli.models.blocks import blocks_of

    layers = backend.keras.layers
    pixels = backend.keras.Input((16, 16, 3))
    x = layers.Rescaling(0.1, name="scale")(pixels)
    x = layers.Conv2D(4, 3, padding="same", name="one")(x)
    x = layers.BatchNormalization(name="bn")(x)
    y = layers.Conv2D(4, 3, padding="same", name="two")(x)
    x = layers.Add(name="sum")([x, y])
    x = layers.Flatten(name="flat")(x)
    x = layers.Dense(5, name="three")(x)
    found = [block.layers for block in blocks_of(backend.keras.Model(pixels, x))]
    assert found == [("scale",), ("one", "bn"), ("two", "sum", "flat"), ("three",)]


def test_statistics_stay_where_they_are_frozen() -> None:
    backend.prepare()
    from dlcli.models.blocks import freeze_normalization
    from dlcli.models.model import build_body

    body = build_body("efficientnet-lite0", (64, 64))
    before = [weight.numpy() for weight in body.non_trainable_weights]
    freeze_normalization(body)
    body(np.full((4, 64, 64, 3), 200, np.float32), training=True)
    frozen = {id(weight) for weight in body.trainable_weights}
    assert not any("bn" in weight.path and id(weight) in frozen for weight in body.weights)
    after = [weight.numpy() for weight in body.non_trainable_weights if "moving" in weight.path]
    assert len(after) == len(before)
    for one, other in zip(after, before, strict=True):
        np.testing.assert_array_equal(one, other)
