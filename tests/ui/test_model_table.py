"""A model and its epochs as lines of text."""

from __future__ import annotations

import pytest

from dlcli.events import EpochEnded, LayerRow, ModelShown
from dlcli.ui.model_table import epoch_words, loss_words, model_lines

ROWS = (
    LayerRow("conv2d_0", (16, 16, 32), 896, 896),
    LayerRow("relu_1", (16, 16, 32), 0, 0),
    LayerRow("efficientnet-lite0", (1280,), 3_413_024, 0),
)


def lines_of(*rows: LayerRow, memory_bytes: int = 0, batch_size: int = 8) -> list[str]:
    return list(model_lines(ModelShown(rows, batch_size, memory_bytes)))


def test_a_row_a_layer_and_the_sums() -> None:
    heading, *rows, sums = lines_of(*ROWS, memory_bytes=12_400_000)
    assert heading.split() == ["layers", "output", "shape", "parameters"]
    assert [row.split() for row in rows] == [
        ["conv2d_0", "16", "x", "16", "x", "32", "896"],
        ["relu_1", "16", "x", "16", "x", "32", "0"],
        ["efficientnet-lite0", "1280", "3,413,024", "frozen"],
    ]
    assert sums == (
        "  3,413,920 parameters, 896 of them trained; "
        "8 pictures at a time take about 12 MB of memory"
    )


@pytest.mark.parametrize("name", ["x", "x" * 30, "x" * 44, "x" * 45, "x" * 200])
def test_columns_stand_below_each_other(name: str) -> None:
    heading, *rows, _ = lines_of(*ROWS, LayerRow(name, (3,), 10, 10))
    ends = [row.removesuffix("  frozen") for row in rows]
    assert {len(line) for line in (heading, *ends)} == {len(heading)}
    shapes = [heading.index("output"), *(row.index("16 x") for row in rows[:2])]
    assert len(set(shapes)) == 1


def test_a_long_name_keeps_its_beginning() -> None:
    row = lines_of(LayerRow("residual_" + "x" * 60, (3,), 10, 10))[1]
    assert row.split()[0] == "residual_" + "x" * 34 + "…"


def test_a_name_cannot_command_the_terminal() -> None:
    assert "\x1b" not in "".join(lines_of(LayerRow("\x1b[31mred", (3,), 10, 10)))


@pytest.mark.parametrize(
    ("memory_bytes", "shown"),
    [
        (0, "1 MB"),
        (178_608, "1 MB"),
        (12_600_000, "13 MB"),
        (1_000_000_000, "1.0 GB"),
        (23_450_000_000, "23.4 GB"),
    ],
)
def test_memory_in_round_numbers(memory_bytes: int, shown: str) -> None:
    assert f"about {shown} of memory" in lines_of(*ROWS, memory_bytes=memory_bytes)[-1]


def epoch(loss: float = 0.61, val_loss: float = 0.5021) -> EpochEnded:
    return EpochEnded("all layers", 4, 8, loss, val_loss, 0.9817)


def test_an_epoch_in_words() -> None:
    expected = "epoch 4/8  loss 0.610  val loss 0.502  val accuracy 0.982"
    assert epoch_words(epoch()) == expected


def test_a_loss_that_runs_away_is_no_line_of_digits() -> None:
    words = epoch_words(epoch(loss=4.5e29, val_loss=99_999.0))
    assert "loss 4.5e+29  val loss 99999.000" in words
    assert loss_words(4.5e29) == "4.5e+29"
