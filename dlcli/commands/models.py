"""`dlcli models`: the backbones, and whether their weights are on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlcli.models.registry import Backbone

HERE, REMOTE = "here", "to be downloaded"


@dataclass(frozen=True)
class BackboneFacts:
    """One backbone: `image_size` is what it was trained with; `weights` is `here`, `to be
    downloaded`, or the command that installs them."""

    name: str
    parameters: int
    image_size: tuple[int, int]
    weights: str


def run() -> list[BackboneFacts]:
    """Every backbone, those whose weights come as packages first, then by name."""
    from dlcli.models.registry import BACKBONES

    return [
        BackboneFacts(one.name, one.parameters, one.image_size, _weights(one))
        for one in BACKBONES.values()
    ]


def _weights(backbone: Backbone) -> str:
    from dlcli.models.registry import PackagedWeights

    if backbone.are_weights_here():
        return HERE
    if isinstance(backbone.weights, PackagedWeights):
        return backbone.weights.install
    return REMOTE
