"""What one augmentation asks of its arguments and of the pictures' colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dlcli.spec.faults import Fault, Location
from dlcli.spec.layers import LayerNode

_FOR_COLORS = ("random_color_degeneration", "random_grayscale", "random_hue", "random_saturation")
_COLOR_FACTORS = ("saturation_factor", "hue_factor")
_NEEDS_ONE_OF: dict[str, tuple[str, ...]] = {
    "random_color_jitter": ("brightness_factor", "contrast_factor", *_COLOR_FACTORS),
    "random_shear": ("x_factor", "y_factor"),
}
"""Without one of these the layer changes nothing."""


def check_augmentations(
    nodes: Sequence[LayerNode], color: str, *, sure_of_color: bool = True
) -> Iterator[Fault]:
    """Every fault of augmentations whose arguments are valid each for itself."""
    for node in nodes:
        kind = node.entry.name
        wanted = _NEEDS_ONE_OF.get(kind, ())
        if wanted and not any(_changes(node.get(name)) for name in wanted):
            yield Fault(_place(node), f"changes nothing: give it {_either(wanted)}")
        if kind == "solarization" and not _changes(node.get("threshold_factor")):
            what = "turns every picture into its negative: give it threshold_factor"
            yield Fault(_place(node), what)
        if color == "grayscale" and sure_of_color:
            yield from _colored(node)


def _colored(node: LayerNode) -> Iterator[Fault]:
    why = "is for colours, and data.color is grayscale: leave it out"
    if node.entry.name in _FOR_COLORS:
        yield Fault(_place(node), why)
    if node.entry.name == "random_color_jitter":
        for name in _COLOR_FACTORS:
            if node.get(name) is not None:
                yield Fault((*_place(node), name), why)


def _place(node: LayerNode) -> Location:
    return node.place if node.arguments else node.location


def _changes(factor: Any) -> bool:
    """Whether a factor, a number or a range, is more than nothing."""
    return any(factor) if isinstance(factor, list) else bool(factor)


def _either(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}"
