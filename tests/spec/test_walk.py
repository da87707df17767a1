"""The order, the names and the shortcuts of a walk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from dlcli.spec.layers import LayerNode, Node, parse_layers
from dlcli.spec.walk import MisfitError, Shape, walk

LAYERS = ("model", "layers")
POOL = "max_pooling2d"


class Recorder:
    """An algebra of shapes that notes what it is asked for; a pooling halves, flatten flattens."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.projections: list[tuple[str, Shape, tuple[int, int], int]] = []

    def layer(self, node: LayerNode, name: str, x: Shape) -> Shape:
        self.names.append(name)
        match node.entry.name:
            case "max_pooling2d":
                return -(-x[0] // 2), -(-x[1] // 2), x[2]
            case "conv2d":
                return *x[:2], node.arguments["filters"]
            case "cropping2d":
                return x[0] - 2, x[1] - 2, x[2]
            case "up_sampling2d":
                return 2 * x[0], 2 * x[1], x[2]
            case "global_average_pooling2d":
                return x[-1:]
        return x

    def merge(self, node: Node, how: str, name: str, inputs: Sequence[Shape]) -> Shape:  # noqa: ARG002
        self.names.append(f"{name}({len(inputs)})")
        return inputs[0] if how == "add" else (*inputs[0][:2], sum(x[-1] for x in inputs))

    def project(
        self,
        node: Node,  # noqa: ARG002
        name: str,
        x: Shape,
        strides: tuple[int, int],
        filters: int,
    ) -> Shape:
        self.names.append(name)
        self.projections.append((name, x, strides, filters))
        return -(-x[0] // strides[0]), -(-x[1] // strides[1]), filters

    def shape(self, x: Shape) -> Shape:
        return x


def recorded(*items: Any, shape: Shape = (8, 8, 3)) -> tuple[Recorder, Shape]:
    network, faults = parse_layers(list(items), LAYERS)
    assert not faults, faults
    recorder = Recorder()
    return recorder, walk(network.nodes, shape, recorder)


def names(*items: Any) -> list[str]:
    return recorded(*items)[0].names


def conv(filters: int) -> dict[str, Any]:
    return {"conv2d": {"filters": filters, "kernel_size": 3, "padding": "same"}}


def test_a_layer_is_named_by_its_number_in_the_list() -> None:
    assert names("relu", conv(4), "relu") == ["relu_0", "conv2d_1", "relu_2"]


def test_kerass_own_spelling_gives_the_same_names() -> None:
    assert names("ReLU", "MaxPool2D") == ["relu_0", "max_pooling2d_1"]


def test_a_repeated_layer_is_named_by_item_repetition_and_number() -> None:
    found = names(*["relu"] * 5, {"repeat": 3, "layers": ["relu", conv(4)]})
    assert found[5:] == [
        "relu_5_0_0",
        "conv2d_5_0_1",
        "relu_5_1_0",
        "conv2d_5_1_1",
        "relu_5_2_0",
        "conv2d_5_2_1",
    ]


def test_names_of_residuals_and_branches() -> None:
    assert names({"residual": ["relu"]}) == ["relu_0_0", "add_0(2)"]
    assert names({"residual": [POOL]}) == ["max_pooling2d_0_0", "shortcut_0", "add_0(2)"]
    assert names({"branches": [["relu", "elu"], [], ["relu"]]}) == [
        "relu_0_0_0",
        "elu_0_0_1",
        "relu_0_2_0",
        "concatenate_0(3)",
    ]
    assert names({"branches": [["relu"], []], "merge": "add"})[-1] == "add_0(2)"


def test_a_name_of_ones_own_is_told_apart_where_it_is_repeated() -> None:
    own = {"relu": {"name": "mine"}}
    assert names(own) == ["mine"]
    assert names({"residual": [own]})[0] == "mine"
    assert names({"repeat": 2, "layers": [own]}) == ["mine_0", "mine_1"]
    nested = {"repeat": 2, "layers": ["elu", {"repeat": 2, "layers": [own]}]}
    assert [name for name in names(nested) if "mine" in name] == [
        "mine_0_0",
        "mine_0_1",
        "mine_1_0",
        "mine_1_1",
    ]


def test_repeat_residual_and_branches_nest_at_will() -> None:
    item = {
        "repeat": 2,
        "layers": [{"branches": [[{"residual": [{"repeat": 2, "layers": ["relu"]}]}], ["elu"]]}],
    }
    assert names(item) == [
        "relu_0_0_0_0_0_0_0_0",
        "relu_0_0_0_0_0_0_1_0",
        "add_0_0_0_0_0(2)",
        "elu_0_0_0_1_0",
        "concatenate_0_0_0(2)",
        "relu_0_1_0_0_0_0_0_0",
        "relu_0_1_0_0_0_0_1_0",
        "add_0_1_0_0_0(2)",
        "elu_0_1_0_1_0",
        "concatenate_0_1_0(2)",
    ]


def test_a_walk_is_the_same_each_time_and_every_name_its_own() -> None:
    items = [
        {"repeat": 3, "layers": [{"residual": [conv(8), "relu"]}, "relu"]},
        {"branches": [[{"repeat": 2, "layers": [POOL]}], [POOL, POOL]], "merge": "add"},
        {"repeat": 11, "layers": [{"repeat": 11, "layers": ["relu"]}]},
    ]
    once, again = names(*items), names(*items)
    assert once == again
    assert len(set(once)) == len(once) == 12 + 1 + 5 + 121


@pytest.mark.parametrize(
    ("layers", "shape", "strides", "filters"),
    [
        ([conv(5)], (8, 8, 3), (1, 1), 5),
        ([POOL], (8, 8, 3), (2, 2), 3),
        ([POOL], (7, 9, 3), (2, 2), 3),
        ([POOL, POOL, conv(6)], (9, 8, 3), (3, 4), 6),
        ([POOL], (8, 1, 3), (2, 1), 3),
    ],
)
def test_an_auto_shortcut_is_a_convolution_where_the_shapes_differ(
    layers: list[Any], shape: Shape, strides: tuple[int, int], filters: int
) -> None:
    recorder, end = recorded({"residual": layers}, shape=shape)
    assert recorder.projections == [("shortcut_0", shape, strides, filters)]
    without, behind = recorded(*layers, shape=shape)
    assert not without.projections
    assert end == behind


@pytest.mark.parametrize("shortcut", ["auto", "identity"])
def test_where_the_shapes_are_equal_the_input_itself_is_added(shortcut: str) -> None:
    recorder, end = recorded({"residual": {"layers": [conv(3)], "shortcut": shortcut}})
    assert (recorder.projections, end) == ([], (8, 8, 3))


def test_a_conv_shortcut_is_one_even_where_the_shapes_are_equal() -> None:
    recorder, _ = recorded({"residual": {"layers": ["relu"], "shortcut": "conv"}})
    assert recorder.projections == [("shortcut_0", (8, 8, 3), (1, 1), 3)]


def test_features_are_added_as_they_are() -> None:
    assert recorded({"residual": ["relu"]}, shape=(12,))[1] == (12,)


TOGETHER = "no shortcut brings these together"
INSIDE = "use padding: same inside, and strides to shrink"


@pytest.mark.parametrize(
    ("layers", "shortcut", "shape", "what"),
    [
        (
            [POOL],
            "identity",
            (8, 8, 3),
            "adds (4, 4, 3) to (8, 8, 3), and an identity shortcut needs equal shapes: "
            "say shortcut: conv",
        ),
        (["cropping2d"], "auto", (8, 8, 3), f"adds (6, 6, 3) to (8, 8, 3): {TOGETHER}: {INSIDE}"),
        (
            ["cropping2d"],
            "identity",
            (8, 8, 3),
            f"adds (6, 6, 3) to (8, 8, 3): {TOGETHER}: {INSIDE}",
        ),
        (
            ["up_sampling2d"],
            "conv",
            (8, 8, 3),
            f"adds (16, 16, 3) to (8, 8, 3): {TOGETHER}: {INSIDE}",
        ),
        (
            ["global_average_pooling2d"],
            "auto",
            (8, 8, 3),
            f"adds (3,) to (8, 8, 3): {TOGETHER}, its layers must keep the shape",
        ),
        (
            ["relu"],
            "conv",
            (12,),
            "adds (12,) to (12,): a shortcut: conv takes (height, width, channels)",
        ),
    ],
)
def test_a_shortcut_that_does_not_fit(
    layers: list[Any], shortcut: str, shape: Shape, what: str
) -> None:
    with pytest.raises(MisfitError) as caught:
        recorded("relu", {"residual": {"layers": layers, "shortcut": shortcut}}, shape=shape)
    assert (caught.value.location, caught.value.what) == ((*LAYERS, 1), what)


def test_an_empty_list_is_its_input() -> None:
    assert walk((), (8, 8, 3), Recorder()) == (8, 8, 3)
