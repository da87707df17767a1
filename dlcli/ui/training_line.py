"""A training in one line: what of it is shown depends on how wide the terminal is."""

from __future__ import annotations

from dataclasses import dataclass

from dlcli.ui.model_table import loss_words
from dlcli.ui.sparkline import BLOCKS, PLAIN, sparkline

NAME_WIDTH = 24
_LOSS_WIDTH, _SPEED_WIDTH, _TIME_WIDTH = 5, 6, 9
_GAP = "  "

Piece = tuple[str, str]
"""A text and the name of its style in Rich's theme."""


@dataclass(frozen=True)
class TrainingShown:
    """What there is to be told of a stage that trains layers: `done` of `total` pictures in the
    epoch `epoch` of at most `num_epochs`, the losses and the accuracies on val of the epochs that
    are over, and the time left; or `seconds` it took, once it is over."""

    name: str
    epoch: int
    num_epochs: int
    done: int
    total: int | None
    losses: tuple[float, ...] = ()
    val_accuracies: tuple[float, ...] = ()
    images_per_second: float | None = None
    seconds_left: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class _Layout:
    """How much room each part gets; `name` 0 stands for as much as it needs."""

    name: int = 0
    bar: int = 0
    sparkline: int = 0
    speed: bool = False
    loss: bool = True
    time: bool = True

    def width(self, shown: TrainingShown) -> int:
        """Columns when every number is there, so that the layout is the same all the time."""
        drawn = self.sparkline + 1 if self.sparkline else 0
        parts = [
            len(f" {_named(shown, self)}"),
            self.bar,
            len(_epoch(shown)),
            len("loss ") + _LOSS_WIDTH + drawn if self.loss else 0,
            len("val 0.000") + drawn,
            _SPEED_WIDTH if self.speed else 0,
            _TIME_WIDTH if self.time else 0,
        ]
        wanted = [part for part in parts if part]
        return sum(wanted) + len(_GAP) * (len(wanted) - 1)


_LAYOUTS = (
    _Layout(NAME_WIDTH - 1, bar=24, sparkline=8, speed=True),
    _Layout(NAME_WIDTH - 1, bar=12, sparkline=8, speed=True),
    _Layout(bar=12, sparkline=8, speed=True),
    _Layout(bar=8, sparkline=4, speed=True),
    _Layout(bar=8, sparkline=4),
    _Layout(sparkline=4),
    _Layout(),
    _Layout(loss=False),
    _Layout(loss=False, time=False),
)
"""From the richest on."""


def training_line(
    shown: TrainingShown, width: int, *, plain: bool = False, colored: bool = False
) -> list[Piece]:
    """The richest line that fits into `width` columns, in ASCII where it is to be `plain`; without
    colour the part of the bar that is still to come is blank."""
    fitting = (layout for layout in _LAYOUTS if layout.width(shown) <= width)
    layout = next(fitting, _LAYOUTS[-1])
    levels = PLAIN if plain else BLOCKS
    parts: list[list[Piece]] = [
        [(f" {_named(shown, layout)}", "")],
        _bar(shown, layout.bar, plain=plain, colored=colored),
        [(_epoch(shown), "")],
    ]
    for label, values, words in (
        ("loss", shown.losses if layout.loss else (), loss_words),
        ("val", shown.val_accuracies, "{:.3f}".format),
    ):
        if values:
            drawn = sparkline(values, layout.sparkline, levels)
            text = f"{label} {words(values[-1]):>{_LOSS_WIDTH}} {drawn}".rstrip()
            parts.append([(text, "")])
    if layout.speed:
        parts.append([(_speed(shown), "progress.data.speed")])
    if layout.time:
        parts.append([(_time(shown), "progress.remaining")])
    told = [part for part in parts if any(text for text, _ in part)]
    spaced = [piece for part in told for piece in [*part, (_GAP, "")]][:-1]
    return _cropped(spaced, width)


def _named(shown: TrainingShown, layout: _Layout) -> str:
    return f"{shown.name:<{layout.name}}" if layout.name else shown.name


def _epoch(shown: TrainingShown) -> str:
    number = f"{shown.epoch:>{len(str(shown.num_epochs))}}"
    return f"epoch {number}/{shown.num_epochs}"


def _bar(shown: TrainingShown, width: int, *, plain: bool, colored: bool) -> list[Piece]:
    """Half a column more where Unicode has a character for that."""
    share = min(1.0, shown.done / shown.total) if shown.total else 0.0
    halves = round(share * width * 2)
    full, half = ("-", "") if plain else ("━", "╸")
    done = full * (halves // 2) + (half if halves % 2 else "")
    rest = width - len(done)
    return [(done, "bar.complete"), (full * rest, "bar.back") if colored else (" " * rest, "")]


def _speed(shown: TrainingShown) -> str:
    if shown.images_per_second is None:
        return ""
    digits = 0 if shown.images_per_second >= 10 else 1
    return f"{shown.images_per_second:.{digits}f}/s"


def _time(shown: TrainingShown) -> str:
    if shown.seconds is not None:
        return clock_words(shown.seconds)
    return "" if shown.seconds_left is None else f"{clock_words(shown.seconds_left)} left"


def clock_words(seconds: float) -> str:
    """`0:11`, `12:05`, `1:02:33`"""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _cropped(pieces: list[Piece], width: int) -> list[Piece]:
    """A line that is too long would break, and a live one would leave its first half behind."""
    cropped = []
    for text, style in pieces:
        cropped.append((text[:width], style))
        width -= len(text[:width])
    return [(text, style) for text, style in cropped if text]
