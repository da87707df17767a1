"""A training in one line, whatever the width."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dlcli.ui.training_line import TrainingShown, clock_words, training_line

SHOWN = TrainingShown(
    name="last 2 blocks",
    epoch=4,
    num_epochs=8,
    done=1500,
    total=3000,
    losses=(1.2, 0.8, 0.7, 0.61),
    val_accuracies=(0.9, 0.95, 0.97, 0.982),
    images_per_second=318.4,
    seconds_left=11.2,
)


def line(shown: TrainingShown, width: int, *, plain: bool = False, colored: bool = False) -> str:
    pieces = training_line(shown, width, plain=plain, colored=colored)
    return "".join(text for text, _ in pieces)


def test_with_room_everything_is_told() -> None:
    assert line(SHOWN, 140) == (
        " last 2 blocks            ━━━━━━━━━━━━              "
        "epoch 4/8  loss 0.610 █▃▂▁  val 0.982 ▁▅▇█  318/s  0:11 left"
    )


def test_a_terminal_of_80_columns_has_bar_and_sparklines() -> None:
    assert line(SHOWN, 80) == (
        " last 2 blocks  ━━━━      epoch 4/8  loss 0.610 █▃▂▁  val 0.982 ▁▅▇█  0:11 left"
    )


@pytest.mark.parametrize(
    ("width", "told"),
    [
        (60, " last 2 blocks  epoch 4/8  loss 0.610  val 0.982  0:11 left"),
        (50, " last 2 blocks  epoch 4/8  val 0.982  0:11 left"),
        (40, " last 2 blocks  epoch 4/8  val 0.982"),
        (12, " last 2 bloc"),
    ],
)
def test_less_room_tells_less(width: int, told: str) -> None:
    assert line(SHOWN, width) == told


@pytest.mark.parametrize("colored", [False, True])
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("done", [0, 1, 1499, 3000, 4000])
def test_no_line_is_longer_than_the_terminal(done: int, plain: bool, colored: bool) -> None:
    long = replace(SHOWN, done=done, num_epochs=1000, seconds_left=90_000.0, losses=(3e9,) * 50)
    for width in range(1, 150):
        assert len(line(long, width, plain=plain, colored=colored)) <= width


def test_the_bar_grows_by_half_columns() -> None:
    halves = [replace(SHOWN, done=done, total=16) for done in (0, 1, 2, 15, 16)]
    bars = [line(shown, 80)[16:24] for shown in halves]
    assert bars == ["        ", "╸       ", "━       ", "━━━━━━━╸", "━━━━━━━━"]
    assert line(halves[0], 80, colored=True)[16:24] == "━" * 8


def test_colour_tells_what_is_done_from_what_is_to_come() -> None:
    pieces = training_line(SHOWN, 80, colored=True)
    assert ("━━━━", "bar.complete") in pieces
    assert ("━━━━", "bar.back") in pieces


def test_plain_lines_are_ascii() -> None:
    told = line(SHOWN, 140, plain=True)
    assert told.isascii()
    assert "------------" in told
    assert "loss 0.610 #-._" in told


def test_before_the_first_epoch_is_over_there_are_no_numbers() -> None:
    fresh = TrainingShown("all layers", epoch=1, num_epochs=30, done=0, total=600)
    assert line(fresh, 80).split() == ["all", "layers", "epoch", "1/30"]


def test_the_numbers_keep_their_places_from_epoch_to_epoch() -> None:
    first, last = (replace(SHOWN, epoch=epoch, num_epochs=30) for epoch in (1, 30))
    assert line(first, 80).index("loss") == line(last, 80).index("loss")


def test_once_over_it_says_how_long_it_took() -> None:
    assert line(replace(SHOWN, seconds=65.0), 80).endswith("▁▅▇█  1:05")


def test_a_slow_training_is_told_to_a_tenth() -> None:
    assert "  3.2/s  " in line(replace(SHOWN, images_per_second=3.21), 140)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0:00"), (11, "0:11"), (725, "12:05"), (3753, "1:02:33")]
)
def test_time_is_told_as_a_clock_does(seconds: float, words: str) -> None:
    assert clock_words(seconds) == words
