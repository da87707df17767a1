"""The shapes that are worked out without Keras: by hand, and compared with Keras' own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from dlcli.spec import vocabulary
from dlcli.spec.layers import Network, parse_layers
from dlcli.spec.shapes import check_shapes, output_shape
from dlcli.spec.walk import MisfitError, Shape

LAYERS = ("model", "layers")
CONV = {"filters": 4, "kernel_size": 3}


def parse(*items: Any) -> Network:
    network, faults = parse_layers(list(items), LAYERS)
    assert not faults, faults
    return network


def misfit(shape: Shape, *items: Any) -> tuple[str, str]:
    """The place, below model.layers, and the sentence of the one fault."""
    (fault,) = check_shapes(parse(*items), shape, LAYERS)
    assert fault.location[:2] == LAYERS
    return ".".join(map(str, fault.location[2:])), fault.what


BY_HAND: list[tuple[str, Any, Shape, Shape]] = [
    ("conv2d", CONV, (32, 32, 3), (30, 30, 4)),
    ("conv2d", {**CONV, "padding": "same"}, (32, 31, 3), (32, 31, 4)),
    ("conv2d", {**CONV, "padding": "same", "strides": 2}, (32, 31, 3), (16, 16, 4)),
    ("conv2d", {**CONV, "strides": [2, 3]}, (32, 31, 3), (15, 10, 4)),
    ("conv2d", {**CONV, "kernel_size": [1, 5]}, (8, 8, 3), (8, 4, 4)),
    ("conv2d", {**CONV, "dilation_rate": 3}, (8, 7, 3), (2, 1, 4)),
    ("conv1d", {**CONV, "padding": "causal"}, (9, 3), (9, 4)),
    ("separable_conv2d", CONV, (5, 5, 3), (3, 3, 4)),
    ("depthwise_conv2d", {"kernel_size": 3, "depth_multiplier": 2}, (5, 5, 3), (3, 3, 6)),
    ("conv2d_transpose", {**CONV, "strides": 2}, (5, 5, 3), (11, 11, 4)),
    ("conv2d_transpose", {**CONV, "strides": 2, "padding": "same"}, (5, 5, 3), (10, 10, 4)),
    ("max_pooling2d", None, (7, 8, 3), (3, 4, 3)),
    ("max_pooling2d", {"padding": "same"}, (7, 8, 3), (4, 4, 3)),
    ("max_pooling2d", {"pool_size": 3, "strides": 2}, (7, 8, 3), (3, 3, 3)),
    ("average_pooling1d", 4, (9, 3), (2, 3)),
    ("global_max_pooling2d", None, (7, 8, 3), (3,)),
    ("global_average_pooling2d", {"keepdims": True}, (7, 8, 3), (1, 1, 3)),
    ("adaptive_average_pooling2d", [2, 3], (7, 8, 5), (2, 3, 5)),
    ("flatten", None, (7, 8, 3), (168,)),
    ("dense", 5, (12,), (5,)),
    ("dense", 5, (9, 12), (9, 5)),
    ("reshape", [8, -1], (4, 4, 3), (8, 6)),
    ("reshape", [48], (4, 4, 3), (48,)),
    ("permute", [3, 1, 2], (4, 5, 6), (6, 4, 5)),
    ("repeat_vector", 3, (12,), (3, 12)),
    ("zero_padding2d", [[1, 2], [0, 4]], (4, 5, 6), (7, 9, 6)),
    ("zero_padding1d", 2, (4, 5), (8, 5)),
    ("cropping2d", [1, 2], (4, 5, 6), (2, 1, 6)),
    ("cropping1d", [0, 3], (4, 5), (1, 5)),
    ("up_sampling2d", [2, 3], (4, 5, 6), (8, 15, 6)),
    ("center_crop", {"height": 3, "width": 4}, (5, 5, 1), (3, 4, 1)),
    ("resizing", {"height": 9, "width": 4}, (5, 5, 1), (9, 4, 1)),
    ("conv2d_transpose", {**CONV, "strides": 2, "output_padding": 1}, (5, 5, 3), (12, 12, 4)),
    ("lstm", 8, (9, 3), (8,)),
    ("gru", {"units": 8, "return_sequences": True}, (9, 3), (9, 8)),
    ("batch_normalization", None, (4, 5, 6), (4, 5, 6)),
    ("group_normalization", 3, (4, 5, 6), (4, 5, 6)),
    ("rescaling", [1, 2, 3], (4, 5, 3), (4, 5, 3)),
    ("gaussian_noise", 0.5, (12,), (12,)),
    ("spatial_dropout2d", 0.5, (4, 5, 6), (4, 5, 6)),
]


@pytest.mark.parametrize(("kind", "value", "shape", "behind"), BY_HAND)
def test_shapes_worked_by_hand(kind: str, value: Any, shape: Shape, behind: Shape) -> None:
    assert output_shape(parse({kind: value}), shape) == behind


FLAT = "put flatten or global_average_pooling2d before it"
MISFITS: list[tuple[Shape, Any, str, str]] = [
    (
        (8, 8, 3),
        {"dense": 10},
        "0.dense",
        f"takes (features,) or (steps, features), got (8, 8, 3): {FLAT}",
    ),
    (
        (8, 8, 3),
        {"conv1d": CONV},
        "0.conv1d",
        "takes (steps, features), got (8, 8, 3): use conv2d",
    ),
    (
        (12,),
        "max_pooling2d",
        "0.max_pooling2d",
        "takes (height, width, channels), got (12,): put it before what flattens",
    ),
    (
        (2, 9, 3),
        {"conv2d": CONV},
        "0.conv2d",
        "takes at least 3 x 3 pixels, got (2, 9, 3): use padding: same or shrink less",
    ),
    (
        (3, 4),
        {"max_pooling1d": 4},
        "0.max_pooling1d",
        "takes at least 4 steps, got (3, 4): use padding: same or shrink less",
    ),
    (
        (5, 5, 3),
        {"conv2d": {**CONV, "dilation_rate": 3}},
        "0.conv2d",
        "takes at least 7 x 7 pixels, got (5, 5, 3): use padding: same or shrink less",
    ),
    (
        (1, 8, 3),
        {"adaptive_max_pooling2d": 2},
        "0.adaptive_max_pooling2d",
        "takes at least 2 x 2 pixels, got (1, 8, 3): shrink less before it",
    ),
    (
        (1, 3),
        {"adaptive_max_pooling1d": 2},
        "0.adaptive_max_pooling1d",
        "takes at least 2 steps, got (1, 3): shrink less before it",
    ),
    (
        (5, 5, 3),
        {"conv2d": {**CONV, "groups": 2}},
        "0.conv2d.groups",
        "must divide the channels, which are 3 here, got 2",
    ),
    (
        (5, 5, 6),
        "group_normalization",
        "0.group_normalization.groups",
        "must divide the channels, which are 6 here, got 32",
    ),
    (
        (4, 4, 3),
        {"reshape": [5, -1]},
        "0.reshape",
        "cannot make (5, -1) of (4, 4, 3): its sides multiplied must give 48",
    ),
    (
        (4, 4, 3),
        {"permute": [2, 1]},
        "0.permute",
        "takes as many axes as (2, 1) names, got (4, 4, 3): name each axis from 1 to 3 once",
    ),
    (
        (4, 4, 3),
        {"cropping2d": [[2, 2], [0, 0]]},
        "0.cropping2d",
        "crops (4, 0) pixels of (4, 4, 3), which leaves nothing: crop less",
    ),
    (
        (12,),
        {"softmax": 2},
        "0.softmax.axis",
        "must be -1 for (12,), got 2",
    ),
    (
        (4, 5),
        {"layer_normalization": [1, -3]},
        "0.layer_normalization.axis",
        "must be from 1 to 2 or from -2 to -1 for (4, 5), got -3",
    ),
    (
        (12,),
        {"prelu": {"shared_axes": [1, 2]}},
        "0.prelu.shared_axes",
        "must be -1 for (12,), got 2",
    ),
    (
        (4, 5, 3),
        {"rms_normalization": 1},
        "0.rms_normalization.axis",
        "must be -1, the last: Keras has no other, got 1",
    ),
    (
        (4, 5, 1),
        {"rescaling": [1, 2, 3]},
        "0.rescaling.scale",
        "must be a number or a list of 1, got a list of 3",
    ),
    (
        (4, 5, 3),
        {"normalization": {"mean": [0, 0], "variance": [1, 1]}},
        "0.normalization.mean",
        "must be a number or a list of 3, got a list of 2",
    ),
]


@pytest.mark.parametrize(("shape", "item", "place", "what"), MISFITS)
def test_a_layer_that_does_not_fit_names_the_shapes_and_the_remedy(
    shape: Shape, item: Any, place: str, what: str
) -> None:
    assert misfit(shape, item) == (place, what)


def test_the_first_misfit_is_told_with_the_shape_that_reaches_it() -> None:
    place, what = misfit((16, 16, 3), {"repeat": 5, "layers": ["max_pooling2d"]}, "flatten")
    assert place == "0.layers.0.max_pooling2d"
    assert what.startswith("takes at least 2 x 2 pixels, got (1, 1, 3)")


@pytest.mark.parametrize(
    ("items", "what"),
    [
        (
            [{"conv2d": CONV}],
            "leaves (6, 6, 4), and the classifier takes (features,): "
            "end with flatten or global_average_pooling2d",
        ),
        (
            ["flatten", {"repeat_vector": 2}],
            "leaves (2, 192), and the classifier takes (features,): end with flatten",
        ),
        (
            ["softmax", {"head": "none"}],
            "leaves (8, 8, 3), and probabilities are (classes,): "
            "put flatten or global_average_pooling2d before",
        ),
    ],
)
def test_a_list_must_end_with_features(items: list[Any], what: str) -> None:
    assert misfit((8, 8, 3), *items) == (str(len(parse(*items).nodes) - 1), what)


@pytest.mark.parametrize(
    ("item", "what"),
    [
        (
            {"branches": [["max_pooling2d"], []]},
            "joins (4, 4, 3) and (8, 8, 3), and concatenate needs equal heights and widths",
        ),
        (
            {"branches": [["flatten"], []]},
            "joins (192,) and (8, 8, 3), and concatenate needs as many axes from each branch",
        ),
        (
            {"branches": [[{"conv2d": {**CONV, "padding": "same"}}], []], "merge": "add"},
            "joins (8, 8, 4) and (8, 8, 3), and add needs equal shapes",
        ),
    ],
)
def test_branches_that_do_not_join(item: Any, what: str) -> None:
    assert misfit((8, 8, 3), item, "flatten") == ("0", what)


def test_branches_join_along_the_last_axis() -> None:
    three = {"branches": [["identity"], [], [{"conv2d": {**CONV, "padding": "same"}}]]}
    assert output_shape(parse(three), (8, 7, 3)) == (8, 7, 10)
    features = {"branches": [["flatten"], ["global_max_pooling2d"]]}
    assert output_shape(parse(features), (2, 2, 3)) == (15,)


@pytest.mark.parametrize(
    ("items", "place", "what"),
    [
        ([{"relu": {"name": "pixels"}}], "0.relu.name", "must be another one: 'pixels' is taken"),
        (["relu", {"elu": {"name": "relu_0"}}], "1.elu.name", "must be another one: 'relu_0' is"),
        (
            [{"elu": {"name": "relu_1"}}, "relu"],
            "1.relu",
            "gets its name from its place, and another layer has it: 'relu_1' is taken",
        ),
        (
            [{"elu": {"name": "add_1"}}, {"residual": ["relu"]}],
            "1",
            "gets its name from its place, and another layer has it: 'add_1' is taken",
        ),
        (
            [
                {"elu": {"name": "shortcut_1_bn"}},
                {"residual": {"layers": ["relu"], "shortcut": "conv"}},
            ],
            "1",
            "gets its name from its place, and another layer has it: 'shortcut_1_bn' is taken",
        ),
        (
            [{"repeat": 2, "layers": [{"relu": {"name": "a"}}]}, {"elu": {"name": "a_1"}}],
            "1.elu.name",
            "must be another one: 'a_1' is taken",
        ),
    ],
)
def test_no_two_layers_have_one_name(items: list[Any], place: str, what: str) -> None:
    found = misfit((8, 8, 3), *items, "flatten")
    assert (found[0], found[1].startswith(what)) == (place, True), found


def test_a_layer_without_a_rule_leaves_the_rest_to_keras() -> None:
    film = {"conv_lstm1d": {"filters": 4, "kernel_size": 3}}
    assert output_shape(parse(film, {"dense": 3}), (8, 8, 3)) is None
    assert check_shapes(parse(film, {"dense": 3}), (8, 8, 3), LAYERS) == []


SHAPES: tuple[Shape, ...] = ((13, 10, 6), (1, 1, 4), (13, 6), (12,))
TRIED: dict[str, dict[str, list[Any]]] = {
    "size1": {
        "kernel_size": [1, 2, 14],
        "strides": [1, 3],
        "pool_size": [1, 3, 14],
        "dilation_rate": [1, 2],
        "output_padding": [None, 0, 1],
        "output_size": [1, 20],
    },
    "size2": {
        "kernel_size": [1, [2, 3], 11],
        "strides": [1, [2, 3]],
        "pool_size": [[3, 2], 11],
        "dilation_rate": [1, [1, 3]],
        "output_padding": [None, 1, [0, 1]],
        "output_size": [1, [2, 20]],
        "size": [1, [2, 3]],
    },
    "count": {
        "filters": [6],
        "groups": [1, 3, 4],
        "depth_multiplier": [2],
        "units": [7],
        "height": [1, 20],
        "width": [9],
        "n": [4],
        "size": [3],
    },
    "int": {"groups": [1, 3, -1, 32]},
    "bool": {"keepdims": [False, True], "return_sequences": [False, True]},
    "axis": {"axis": [-1, 1, 3]},
    "axes": {"axis": [-1, 2, [1, 2]], "shared_axes": [None, [1], [1, 2]]},
    "padding1": {"padding": [0, [1, 3]], "cropping": [2, [1, 3], 7]},
    "padding2": {
        "padding": [2, [1, 3], [[1, 2], [0, 4]]],
        "cropping": [[1, 3], 5, [[9, 3], [0, 0]]],
    },
    "shape": {"target_shape": [[-1], [-1, 2], [3, 4, -1], [7], [13, 60]]},
    "order": {"dims": [[1], [2, 1], [3, 1, 2]]},
    "numbers": {"mean": [0.5], "variance": [1.0], "scale": [2.0], "offset": [1.0]},
    "number": {"rate": [0.5]},
    "share": {"rate": [0.5], "stddev": [0.5]},
    "activation": {"activation": ["relu"]},
}
LEFT_TO_KERAS = {"conv_lstm1d", "einsum_dense"}


def tried(entry: vocabulary.Entry) -> Iterator[Network]:
    """The layer alone, with each combination of the arguments that its shapes depend on."""
    values = []
    for name, argument in entry.arguments.items():
        given = TRIED.get(argument.type, {}).get(name, [])
        if argument.type == "choice" and name == "padding":
            given = list(argument.choices)
        assert given or not argument.required, f"{entry.name}.{name}: nothing to try"
        values += [[(name, value) for value in given]] if given else []
    for arguments in itertools.product(*values):
        network, faults = parse_layers([{entry.name: dict(arguments)}], LAYERS)
        if not faults:
            yield network


@pytest.mark.slow
def test_shapes_are_those_of_keras() -> None:
    """What is accepted has Keras' shape, and what Keras refuses is refused."""
    from dlcli.backend import prepare

    prepare()
    compared, refused = 0, 0
    kinds = [kind for kind in vocabulary.layers() if kind not in LEFT_TO_KERAS]
    for kind in kinds:
        seen = 0
        for network, shape in itertools.product(tried(vocabulary.layers()[kind]), SHAPES):
            ours, theirs = our_shape(network, shape), keras_shape(network, shape)
            if ours is None and is_stricter(kind, shape):
                continue
            assert ours == theirs, (network, shape)
            seen += ours is not None
            refused += ours is None
        assert seen, f"{kind} was never compared"
        compared += seen
    assert len(kinds) >= 57
    assert compared >= 500
    assert refused >= 100


def is_stricter(kind: str, shape: Shape) -> bool:
    """Whether Keras takes what nobody means (dense on pictures, pooling of channels), or takes it
    and fails when it runs."""
    ranks = vocabulary.layers()[kind].ranks
    if kind.startswith("adaptive_max") and min(shape[:-1], default=2) < 2:
        return True
    return kind in ("dense", "rms_normalization", "softmax") or len(shape) + 1 not in ranks


def our_shape(network: Network, shape: Shape) -> Shape | None:
    try:
        found = output_shape(network, shape)
    except MisfitError:
        return None
    assert found is not None, "a layer without a rule"
    return found


def keras_shape(network: Network, shape: Shape) -> Shape | None:
    """The shape behind a network that Keras builds; None where it refuses or leaves nothing."""
    from dlcli.backend import keras
    from dlcli.models.layers import build_layers

    try:
        found = tuple(build_layers(network, keras.Input(shape))[0].shape[1:])
    except (MisfitError, ValueError, TypeError):
        return None
    return found if min(found) > 0 else None
