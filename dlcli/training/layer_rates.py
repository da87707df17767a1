"""A learning rate for each block: the lower a block, the less it is to change (discriminative
fine-tuning, Howard & Ruder 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlcli.backend import Model
from dlcli.models.blocks import blocks_of


def block_shares(body: Model, layer_decay: float) -> dict[str, float]:
    """The share of the learning rate that each layer of a body has, by name: that of the last block
    is `layer_decay`, that of each block below it `layer_decay` times as much as of the one above.
    The classifier behind the body is not among them."""
    return {
        layer: layer_decay**depth
        for depth, block in enumerate(reversed(blocks_of(body)), 1)
        for layer in block.layers
    }


def variable_shares(model: Model, shares: Mapping[str, float]) -> tuple[float, ...]:
    """The share of each trainable variable of a model in their order; 1 for those of layers that
    `shares` does not name."""
    found = {
        id(variable): shares[layer.name]
        for layer in model.layers
        if layer.name in shares
        for variable in layer.trainable_variables
    }
    return tuple(found.get(id(variable), 1.0) for variable in model.trainable_variables)


def with_shares(kind: Any, shares: Sequence[float]) -> Any:
    """A class of optimizers like `kind` that moves each variable by its share of the learning rate;
    `shares` are in the order of the variables that it is built with.

    The rate itself is what is scaled: Adam and its kin divide by the size of a gradient, so that a
    scaled one would move a weight as far as before.
    """

    class Shared(kind):  # type: ignore[misc]
        """`kind`, with a rate for each variable."""

        _share = 1.0

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            """As `kind` does, at the variable's rate."""
            share = shares[self._get_variable_index(variable)]
            super().update_step(gradient, variable, learning_rate * share)

        def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
            """As `kind` does for the variables of each rate: decay is multiplied by the rate."""
            decayed = [variable for variable in variables if self._use_weight_decay(variable)]
            for share in dict.fromkeys(shares):
                these = [one for one in decayed if shares[self._get_variable_index(one)] == share]
                if these:
                    self._share = share
                    super()._apply_weight_decay(these)
            self._share = 1.0

        def _get_current_learning_rate(self) -> Any:
            return super()._get_current_learning_rate() * self._share

    Shared.__name__ = kind.__name__
    return Shared
