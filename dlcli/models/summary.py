"""What a model is made of, for people: layers, shapes, parameters, rough memory."""

from __future__ import annotations

from dlcli.events import LayerRow, ModelShown

_FLOAT_BYTES = 4
_COPIES_OF_WEIGHTS = 4
"""Trained weights, their gradients, and two moments of the optimizer."""


def summarize(rows: tuple[LayerRow, ...], activations: int, batch_size: int) -> ModelShown:
    """The rows with the rough memory of a training step: weights with what an optimizer keeps
    beside them, and for each picture every layer's output (`activations` numbers) together with
    its gradient."""
    trainable = sum(row.trainable_parameters for row in rows)
    frozen = sum(row.parameters for row in rows) - trainable
    numbers = trainable * _COPIES_OF_WEIGHTS + frozen + 2 * activations * batch_size
    return ModelShown(rows, batch_size, numbers * _FLOAT_BYTES)


def summarize_head(
    name: str, num_features: int, parameters: int, num_classes: int, num_train: int
) -> ModelShown:
    """A frozen body of `parameters` and the head on its features; the head sees the features of
    all `num_train` pictures at once."""
    head = num_features * num_classes + num_classes
    rows = (
        LayerRow(name, (num_features,), parameters, 0),
        LayerRow("probabilities", (num_classes,), head, head),
    )
    return summarize(rows, num_features, num_train)
