"""What one setting asks of another, and the settings that would do nothing: none is ignored."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from pydantic import BaseModel

from dlcli.spec.augment_rules import check_augmentations
from dlcli.spec.backbones import least_image_sizes
from dlcli.spec.faults import Fault, Location, nearest, shown
from dlcli.spec.layers import LayerNode, Network, Node, parse_augment, parse_layers
from dlcli.spec.optimizers import check_optimizer
from dlcli.spec.schema import Spec
from dlcli.spec.shapes import check_shapes
from dlcli.spec.stage_rules import check_stages

LAYERS: Location = ("model", "layers")
_NEEDS_TRAINING = (
    ("model", "dropout"),
    ("train", "epochs"),
    ("train", "batch_size"),
    ("train", "optimizer"),
    ("train", "learning_rate"),
    ("train", "schedule"),
    ("train", "loss"),
    ("train", "label_smoothing"),
    ("train", "mix"),
    ("train", "early_stopping"),
    ("train", "ema"),
)


def check_rules(
    spec: Spec, given: set[Location], faulty: Collection[Location] = ()
) -> Iterator[Fault]:
    """Every fault of a spec whose keys are valid each for itself.

    `given` holds the locations that the file or an option set; `faulty` what was left out as
    wrong: nothing is said that might be otherwise were it right.
    """
    sure_of_model = not any(location[0] == "model" for location in faulty)
    if sure_of_model:
        yield from _check_model(spec, given, _sure_of_pixels(faulty))
    if isinstance(spec.augment, list):
        augmentations, faults = parse_augment(spec.augment, ("augment",))
        yield from faults
        sure_of_color = not {("data",), ("data", "color")} & set(faulty)
        if not faults:
            yield from check_augmentations(
                augmentations, spec.data.color, sure_of_color=sure_of_color
            )
    yield from check_optimizer(spec.train.optimizer, ("train", "optimizer"))
    if sure_of_model:
        yield from check_stages(spec)
        yield from _without_effect(spec, given)


def _sure_of_pixels(faulty: Collection[Location]) -> bool:
    """Whether the pictures' shape is what the spec says."""
    elsewhere = ("folder", "exclude", "resize", "split", "split_from", "unreadable")
    return all(
        location[0] != "data" or (len(location) > 1 and location[1] in elsewhere)
        for location in faulty
    )


def _check_model(spec: Spec, given: set[Location], sure_of_pixels: bool) -> Iterator[Fault]:
    if spec.model.layers is None:
        if LAYERS in given:
            yield Fault(LAYERS, "is empty: list layers, or leave the key out for a backbone")
        if ("model", "backbone") in given or not spec.model.begins_with_run:
            yield from _check_backbone(spec)  # a run brings its own network
        return
    if ("model", "backbone") in given:
        yield Fault(("model", "backbone"), "and model.layers name two networks: leave one out")
    if spec.model.weights == "imagenet" and ("model", "weights") in given:
        what = "must be random, a run or a file where model.layers are given, got 'imagenet'"
        yield Fault(("model", "weights"), what)
    network, faults = parse_layers(spec.model.layers, LAYERS)
    yield from faults
    if not network.nodes and not faults:
        yield Fault(LAYERS, "must hold a layer")
    elif not faults:
        channels = 3 if spec.data.color == "rgb" else 1
        if sure_of_pixels:
            yield from check_shapes(network, (*spec.data.image_size, channels), LAYERS)
        yield from _check_end(network)


def _check_backbone(spec: Spec) -> Iterator[Fault]:
    name, known = spec.model.backbone, least_image_sizes()
    if name is None:
        yield Fault(("model", "backbone"), "is empty: name one (see dlcli models), or give layers")
        return
    if name not in known:
        hint = nearest(name, list(known))
        fix = hint if "Did you mean" in hint else " See all: dlcli models"
        yield Fault(("model", "backbone"), f"must be a backbone, got {shown(name)}.{fix}")
        return
    least = known[name]
    if min(spec.data.image_size) < least:
        what = f"must be {least} or more for {name}, got {min(spec.data.image_size)}"
        yield Fault(("data", "image_size"), what)
    if spec.data.color == "grayscale":
        what = f"must be rgb for {name}, got 'grayscale': grey pictures are read as rgb there"
        yield Fault(("data", "color"), what)


def _check_end(network: Network) -> Iterator[Fault]:
    """Without our classifier the list's own end must give probabilities."""
    if network.has_head:
        return
    last: Node = network.nodes[-1]
    if isinstance(last, LayerNode):
        ends = last.entry.name == "softmax" or last.arguments.get("activation") == "softmax"
        if ends:
            return
    what = "must give probabilities before head: none: add activation: softmax"
    yield Fault(last.location, what)


def _without_effect(spec: Spec, given: set[Location]) -> Iterator[Fault]:
    if spec.trains_head_only:
        yield from idle_beside_a_head(spec)
    elif spec.model.layers is not None and ("model", "dropout") in given:
        what = "belongs to a backbone: among layers write - dropout: 0.2 where it is to be"
        yield Fault(("model", "dropout"), what)
    elif not spec.begins_trained and _differs(spec, ("model", "pooling")):
        what = "has no effect where a network begins with random weights: it learns its own"
        yield Fault(("model", "pooling"), what)
    elif spec.begins_trained and _differs(spec, ("train", "early_stopping")):
        what = (
            "has no effect where a trained body is trained further: val chooses on the way from "
            "the weights before a stage to those after it; set the stage's epochs"
        )
        yield Fault(("train", "early_stopping"), what)
    if spec.model.body == "int8":
        yield from _beside_int8(spec, given)


def _beside_int8(spec: Spec, given: set[Location]) -> Iterator[Fault]:
    if not spec.trains_head_only:
        what = (
            "must be float32 where layers are trained: an int8 body stays as it is, below a head "
            "(a backbone with weights: imagenet or a file)"
        )
        yield Fault(("model", "body"), what)
    elif ("train", "effort") in given and spec.train.effort != "quick":
        what = f"{spec.train.effort} trains layers, and an int8 body stays as it is: use quick"
        yield Fault(("train", "effort"), what)


def idle_beside_a_head(spec: Spec) -> Iterator[Fault]:
    """The settings that do nothing for a head on frozen features, which is fitted to convergence:
    it knows no epochs and no dropout."""
    for location in _NEEDS_TRAINING:
        if _differs(spec, location):
            what = (
                "has no effect where only a head is trained, which is fitted to convergence; "
                "it has where layers are: see train.stages"
            )
            yield Fault(location, what)
    if spec.train.precision not in ("auto", "float32"):
        what = (
            "has no effect where only a head is trained: leave it auto; it has where layers are: "
            "see train.stages"
        )
        yield Fault(("train", "precision"), what)
    if isinstance(spec.augment, list):
        what = (
            "has no effect where only a head is trained: say auto or none there (auto adds mirror "
            "images where they help)"
        )
        yield Fault(("augment",), what)


def _differs(spec: Spec, location: Location) -> bool:
    return bool(_value(spec, location) != _value(Spec(), location))


def _value(section: BaseModel, location: Location) -> Any:
    found: Any = section
    for part in location:
        found = getattr(found, str(part))
    return found
