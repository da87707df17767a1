"""The layer language: lists -> trees, and the faults in them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from dlcli.spec.layers import (
    MOST_LAYERS,
    BranchesNode,
    LayerNode,
    Network,
    RepeatNode,
    ResidualNode,
    parse_augment,
    parse_layers,
)

AT = ("model", "layers")


def parse(*items: Any) -> Network:
    network, faults = parse_layers(list(items), AT)
    assert not faults, faults
    return network


def faults(*items: Any) -> list[tuple[str, str]]:
    """Each fault's place below model.layers, and its sentence."""
    found = parse_layers(list(items), AT)[1]
    assert all(fault.location[:2] == AT for fault in found)
    return [(".".join(map(str, fault.location[2:])), fault.what) for fault in found]


CONV = {"filters": 8, "kernel_size": 3}


@pytest.mark.parametrize(
    ("item", "kind", "arguments"),
    [
        ("flatten", "flatten", {}),
        ({"flatten": None}, "flatten", {}),
        ({"flatten": {}}, "flatten", {}),
        ({"dropout": 0.5}, "dropout", {"rate": 0.5}),
        ({"max_pooling2d": [3, 2]}, "max_pooling2d", {"pool_size": [3, 2]}),
        ({"conv2d": CONV}, "conv2d", CONV),
        ("MaxPooling2D", "max_pooling2d", {}),
        ("MaxPool2D", "max_pooling2d", {}),
        ({"Conv2D": CONV}, "conv2d", CONV),
        ({"Convolution2D": CONV}, "conv2d", CONV),
        ("ReLU", "relu", {}),
        ("GlobalAvgPool2D", "global_average_pooling2d", {}),
    ],
)
def test_a_layer_is_a_name_or_a_map_of_it(item: Any, kind: str, arguments: dict[str, Any]) -> None:
    (node,) = parse(item).nodes
    assert isinstance(node, LayerNode)
    assert (node.entry.name, node.arguments) == (kind, arguments)
    assert (node.location, node.place) == ((*AT, 0), (*AT, 0, kind))


def test_an_argument_has_the_default_of_keras() -> None:
    (node,) = parse({"conv2d": CONV}).nodes
    assert isinstance(node, LayerNode)
    assert [node.get(name) for name in ("filters", "padding", "strides")] == [8, "valid", [1, 1]]


def test_repeat_holds_its_layers() -> None:
    (node,) = parse({"repeat": 3, "layers": ["relu", {"dropout": 0.1}]}).nodes
    assert isinstance(node, RepeatNode)
    assert (node.times, len(node.layers)) == (3, 2)
    assert node.layers[1].location == (*AT, 0, "layers", 1)


@pytest.mark.parametrize(
    ("item", "shortcut"),
    [
        ({"residual": ["relu"]}, "auto"),
        ({"residual": ["relu"], "shortcut": "conv"}, "conv"),
        ({"residual": {"layers": ["relu"]}}, "auto"),
        ({"residual": {"layers": ["relu"], "shortcut": "identity"}}, "identity"),
        ({"residual": {"layers": ["relu"]}, "shortcut": "identity"}, "identity"),
    ],
)
def test_residual_is_a_map_or_a_list(item: Any, shortcut: str) -> None:
    (node,) = parse(item).nodes
    assert isinstance(node, ResidualNode)
    assert (len(node.layers), node.shortcut) == (1, shortcut)


@pytest.mark.parametrize(("more", "merge"), [({}, "concatenate"), ({"merge": "add"}, "add")])
def test_branches_are_lists_of_which_one_may_be_empty(more: dict[str, str], merge: str) -> None:
    (node,) = parse({"branches": [["relu", "elu"], []], **more}).nodes
    assert isinstance(node, BranchesNode)
    assert ([len(branch) for branch in node.branches], node.merge) == ([2, 0], merge)


def test_all_nest_at_will() -> None:
    inner = {"repeat": 2, "layers": [{"branches": [[{"residual": ["relu"]}], []]}]}
    (outer,) = parse({"residual": {"layers": [inner]}}).nodes
    assert isinstance(outer, ResidualNode)
    (repeat,) = outer.layers
    assert isinstance(repeat, RepeatNode)
    (branches,) = repeat.layers
    assert isinstance(branches, BranchesNode)
    assert isinstance(branches.branches[0][0], ResidualNode)


def test_head_none_leaves_the_classifier_out() -> None:
    assert parse("flatten").has_head
    network = parse("flatten", {"dense": {"units": 3, "activation": "softmax"}}, {"head": "none"})
    assert (network.has_head, len(network.nodes)) == (False, 2)


@pytest.mark.parametrize(
    ("items", "normalizes"),
    [
        (["relu", "flatten"], False),
        ([{"rescaling": 0.5}], True),
        ([{"repeat": 2, "layers": [{"branches": [[], ["batch_normalization"]]}]}], True),
        ([{"residual": ["group_normalization"]}], True),
        ([{"residual": ["relu"]}], False),
    ],
)
def test_a_network_knows_whether_it_normalizes(items: list[Any], normalizes: bool) -> None:
    assert parse(*items).normalizes is normalizes


ITEM = "must be a layer's name or a one-key map, got"
HEAD = "must be none and the last item of model.layers: it leaves the classifier out"
LISTS = "must be a list of two or more lists of layers, got"
BROKEN: list[tuple[Any, str, str]] = [
    (5, "0", f"{ITEM} 5"),
    (None, "0", f"{ITEM} None"),
    (["relu"], "0", f"{ITEM} ['relu']"),
    ({}, "0", f"{ITEM} {{}}"),
    ("relo", "0", "is no layer: got 'relo'. Did you mean relu?"),
    ({"conv2d": {**CONV, "pading": 1}}, "0.conv2d.pading", "is no argument of Conv2D. Did you"),
    ({"dropout": 1.5}, "0.dropout", "must be a number from 0 to 1, got 1.5"),
    ("dropout", "0", "needs rate"),
    ({"relu": None, "elu": None}, "0", "holds 2 keys (relu, elu): write each layer behind a dash"),
    (
        {"conv2d": None, "filters": 8, "kernel_size": 3},
        "0",
        "holds 3 keys (conv2d, filters, kernel_size): indent the arguments of conv2d more than its",
    ),
    ({"repeat": 0, "layers": ["relu"]}, "0.repeat", "must be a whole number from 1 to 5,000, got"),
    ({"repeat": 2.0, "layers": ["relu"]}, "0.repeat", "must be a whole number from 1 to 5,000"),
    ({"repeat": True, "layers": ["relu"]}, "0.repeat", "must be a whole number from 1 to 5,000"),
    ({"repeat": 2}, "0", "needs layers: a list of layers"),
    ({"repeat": 2, "layer": ["relu"]}, "0.layer", "is no setting of repeat. Did you mean layers?"),
    ({"repeat": 2, "layers": []}, "0.layers", "must hold a layer"),
    ({"repeat": 2, "layers": "relu"}, "0.layers", "must be a list of layers, got 'relu'"),
    ({"repeat": 2, "layers": ["relo"]}, "0.layers.0", "is no layer: got 'relo'."),
    ({"repeat": 2, "layers": [{"repeat": 2}]}, "0.layers.0", "needs layers: a list of layers"),
    ({"residual": None}, "0.residual", "must be a list of layers, got None"),
    ({"residual": []}, "0.residual", "must hold a layer"),
    ({"residual": {}}, "0.residual", "needs layers: a list of layers"),
    ({"residual": {"layer": ["relu"]}}, "0.residual.layer", "is no setting of residual. Did you"),
    ({"residual": ["relo"]}, "0.residual.0", "is no layer: got 'relo'."),
    ({"residual": {"layers": ["relo"]}}, "0.residual.layers.0", "is no layer: got 'relo'."),
    (
        {"residual": ["relu"], "shortcut": "con"},
        "0.shortcut",
        "must be auto, identity or conv, got 'con'. Did you mean conv?",
    ),
    (
        {"residual": {"layers": ["relu"], "shortcut": ["conv"]}},
        "0.residual.shortcut",
        "must be auto, identity or conv, got ['conv'].",
    ),
    (
        {"residual": {"layers": ["relu"], "shortcut": "conv"}, "shortcut": "auto"},
        "0.shortcut",
        "is given twice: leave one out",
    ),
    ({"residual": ["relu"], "merge": "add"}, "0.merge", "is no setting of residual."),
    ({"branches": "relu"}, "0.branches", f"{LISTS} 'relu'"),
    ({"branches": [["relu"]]}, "0.branches", f"{LISTS} [['relu']]"),
    ({"branches": [[], []]}, "0.branches", "must hold a layer in one of its lists"),
    ({"branches": [["relu"], "relu"]}, "0.branches.1", "must be a list of layers, got 'relu'"),
    ({"branches": [["relu"], ["relo"]]}, "0.branches.1.0", "is no layer: got 'relo'."),
    ({"branches": [["relu"], []], "merge": "ad"}, "0.merge", "must be concatenate or add, got"),
    ({"layers": ["relu"]}, "0.layers", "stands alone: it belongs to repeat, in the same item"),
    ({"shortcut": "conv"}, "0.shortcut", "stands alone: it belongs to residual, in the same item"),
    ({"merge": "add"}, "0.merge", "stands alone: it belongs to branches, in the same item"),
    ({"head": "softmax"}, "0.head", HEAD),
    ("head", "0", HEAD),
    ({"repeat": 2, "layers": ["relu", {"head": "none"}]}, "0.layers.1.head", HEAD),
]


@pytest.mark.parametrize(("item", "place", "what"), BROKEN, ids=[str(item) for item, *_ in BROKEN])
def test_a_fault_is_located_and_told_once(item: Any, place: str, what: str) -> None:
    (found,) = faults(item, "flatten")
    assert (found[0], found[1][: len(what)]) == (place, what)


def test_all_faults_are_found_at_any_depth() -> None:
    found = faults(
        "relo",
        {"repeat": 0, "layers": [{"branches": [["relo"], [{"residual": [{"dropout": 2}]}]]}]},
        {"conv2d": {"filters": 0, "kernal_size": 3}},
    )
    assert [place for place, _ in found] == [
        "0",
        "1.repeat",
        "1.layers.0.branches.0.0",
        "1.layers.0.branches.1.0.residual.0.dropout",
        "2.conv2d.filters",
        "2.conv2d.kernal_size",
    ]


def test_a_second_fault_of_missing_layers_is_not_lost() -> None:
    found = faults({"repeat": 2, "layer": ["relu"]}, {"repeat": 2})
    assert [place for place, _ in found] == ["0.layer", "1"]


def test_a_name_is_given_once() -> None:
    (found,) = faults({"relu": {"name": "a"}}, {"residual": [{"elu": {"name": "a"}}]})
    assert found == ("1.residual.0.elu.name", "must be another one: 'a' was given before")


def test_as_many_layers_as_the_limit_and_no_more() -> None:
    assert not faults({"repeat": MOST_LAYERS, "layers": ["relu"]})
    (found,) = faults({"repeat": MOST_LAYERS, "layers": ["relu"]}, "flatten")
    assert found == ("", "is 5,001 layers; the limit is 5,000")


def test_nested_repeats_are_counted_and_not_unrolled() -> None:
    item: Any = "relu"
    for _ in range(8):
        item = {"repeat": 5_000, "layers": [item]}
    began = time.process_time()
    (found,) = faults(item)
    assert found[1].startswith("is 390,625,000,000,000,000,000,000,000,000 layers")
    assert time.process_time() - began < 5


def test_joins_and_shortcuts_count_as_layers() -> None:
    inner = {"residual": ["relu"]}
    assert faults({"repeat": 1_667, "layers": [inner]})[0][1].startswith("is 5,001 layers")
    assert not faults({"repeat": 1_666, "layers": [inner]})


def test_augmentations_are_a_list_of_their_own_vocabulary() -> None:
    nodes, found = parse_augment([{"random_flip": "horizontal"}, "RandomGrayscale"], ("augment",))
    assert not found
    assert [(node.entry.keras, node.arguments) for node in nodes] == [
        ("RandomFlip", {"mode": "horizontal"}),
        ("RandomGrayscale", {}),
    ]


@pytest.mark.parametrize(
    ("item", "what"),
    [
        ("random_flop", "is no augmentation: got 'random_flop'. Did you mean random_flip?"),
        ({"conv2d": CONV}, "is a layer of a network: it belongs under model.layers"),
        ({"repeat": 2, "layers": ["random_flip"]}, "holds 2 keys (repeat, layers): write each"),
        ({"random_flip": "sideways"}, "must be horizontal, vertical or horizontal_and_vertical"),
        (
            {"random_rotation": None, "factor": 0.1},
            "holds 2 keys (random_rotation, factor): indent the arguments of random_rotation",
        ),
    ],
)
def test_a_faulty_augmentation(item: Any, what: str) -> None:
    (found,) = parse_augment([item], ("augment",))[1]
    assert found.location[:2] == ("augment", 0)
    assert found.what.startswith(what)
