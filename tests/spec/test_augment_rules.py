"""What one augmentation asks of its arguments and of the pictures' colours."""

from __future__ import annotations

from typing import Any

import pytest

from dlcli.spec import vocabulary
from dlcli.spec.augment_rules import check_augmentations
from dlcli.spec.layers import parse_augment

FOR_COLORS = ("random_color_degeneration", "random_grayscale", "random_hue", "random_saturation")


def faults(augment: list[Any], color: str = "rgb", *, sure: bool = True) -> dict[str, str]:
    """Each fault's sentence by its place."""
    nodes, wrong = parse_augment(augment, ("augment",))
    assert not wrong
    found = check_augmentations(nodes, color, sure_of_color=sure)
    return {".".join(map(str, fault.location)): fault.what for fault in found}


@pytest.mark.parametrize(
    "item",
    [
        "random_flip",
        {"random_shear": {"x_factor": 0.1}},
        {"random_shear": {"y_factor": [0, 0.1]}},
        {"random_color_jitter": {"hue_factor": 0.1}},
        {"solarization": {"threshold_factor": 0.5}},
        {"random_hue": 0.5},
    ],
    ids=str,
)
def test_what_changes_pictures_is_taken(item: Any) -> None:
    assert faults([item]) == {}


@pytest.mark.parametrize(
    ("item", "place", "wanted"),
    [
        ("random_shear", "augment.0", "x_factor or y_factor"),
        ({"random_shear": {"fill_mode": "nearest"}}, "augment.0.random_shear", "x_factor or"),
        ({"random_shear": {"x_factor": 0}}, "augment.0.random_shear", "x_factor or y_factor"),
        ({"random_shear": {"y_factor": [0, 0]}}, "augment.0.random_shear", "x_factor or y_factor"),
        ("random_color_jitter", "augment.0", "saturation_factor or hue_factor"),
    ],
)
def test_what_changes_nothing_is_said_with_what_it_needs(
    item: Any, place: str, wanted: str
) -> None:
    (found,) = faults([item]).items()
    assert found[0] == place
    assert found[1].startswith("changes nothing: give it ")
    assert wanted in found[1]


@pytest.mark.parametrize("item", ["solarization", {"solarization": {"threshold_factor": 0}}])
def test_a_solarization_of_everything_is_said(item: Any) -> None:
    (what,) = faults([item]).values()
    assert what == "turns every picture into its negative: give it threshold_factor"


@pytest.mark.parametrize("name", FOR_COLORS)
def test_what_is_for_colours_is_refused_for_grey_pictures(name: str) -> None:
    entry = vocabulary.augmentations()[name]
    required = [argument.name for argument in entry.arguments.values() if argument.required]
    item = {name: dict.fromkeys(required, 0.5)} if required else name
    assert faults([item]) == {}
    (what,) = faults([item], "grayscale").values()
    assert what == "is for colours, and data.color is grayscale: leave it out"


def test_of_a_jitter_only_the_factors_of_colours_are_refused_for_grey_pictures() -> None:
    factors = ("brightness_factor", "contrast_factor", "saturation_factor", "hue_factor")
    found = faults([{"random_color_jitter": dict.fromkeys(factors, 0.2)}], "grayscale")
    place = "augment.0.random_color_jitter"
    assert set(found) == {f"{place}.saturation_factor", f"{place}.hue_factor"}


def test_nothing_is_said_of_colours_where_they_are_not_known() -> None:
    assert faults([{"random_hue": 0.5}], "grayscale", sure=False) == {}


def test_every_fault_of_a_list_is_found() -> None:
    augment = ["random_flip", "random_shear", "random_grayscale", "solarization"]
    assert set(faults(augment, "grayscale")) == {"augment.1", "augment.2", "augment.3"}
