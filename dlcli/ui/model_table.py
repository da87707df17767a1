"""A model and its epochs as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from dlcli.events import EpochEnded, LayerRow, ModelShown
from dlcli.ui.console import printable

_LEAST_WIDTH, _MOST_WIDTH = 24, 44
_LARGE_LOSS = 1e5


def model_lines(model: ModelShown) -> Iterator[str]:
    """A row a layer, or an item of the spec, then the sums and the rough memory of a step."""
    names = [_shortened(printable(row.name)) for row in model.rows]
    width = max([_LEAST_WIDTH, *map(len, names)])
    yield f"  {'layers':<{width}}  {'output shape':<16}  {'parameters':>13}"
    for name, row in zip(names, model.rows, strict=True):
        shape = " x ".join(map(str, row.output_shape))
        yield f"  {name:<{width}}  {shape:<16}  {row.parameters:>13,}{_frozen(row)}"
    yield (
        f"  {model.parameters:,} parameters, {model.trainable_parameters:,} of them trained; "
        f"{model.batch_size:,} pictures at a time take about {_size(model.memory_bytes)} of memory"
    )


def epoch_words(event: EpochEnded) -> str:
    """`epoch 4/8  loss 0.610  val loss 0.502  val accuracy 0.982`"""
    words = f"epoch {event.epoch}/{event.num_epochs}  loss {loss_words(event.loss)}"
    if event.val_loss is None or event.val_accuracy is None:
        return words
    return f"{words}  val loss {loss_words(event.val_loss)}  val accuracy {event.val_accuracy:.3f}"


def loss_words(value: float) -> str:
    """`0.610`; one that runs away would be a line of digits."""
    return f"{value:.3f}" if value < _LARGE_LOSS else f"{value:.3g}"


def _frozen(row: LayerRow) -> str:
    return "  frozen" if row.parameters and not row.trainable_parameters else ""


def _shortened(name: str) -> str:
    return name if len(name) <= _MOST_WIDTH else name[: _MOST_WIDTH - 1] + "…"


def _size(size_bytes: int) -> str:
    return (
        f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{max(1, size_bytes / 1e6):.0f} MB"
    )
