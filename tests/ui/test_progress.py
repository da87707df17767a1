"""Events -> lines on stderr."""

from __future__ import annotations

import io
import re
import sys
import time

import pytest

from dlcli.events import (
    EpochEnded,
    EpochStarted,
    Event,
    LayerRow,
    ModelShown,
    Said,
    StageAdvanced,
    StageEnded,
    StageStarted,
    Warned,
)
from dlcli.ui.progress import LineReporter, make_reporter

EVENTS: tuple[Event, ...] = (
    Said("5 classes"),
    StageStarted("reading pictures", 10),
    StageAdvanced("reading pictures", 10),
    StageEnded("reading pictures"),
    Warned("skipped 2"),
    StageStarted("head"),
    StageEnded("head", "val accuracy 0.973"),
)
MODEL = ModelShown((LayerRow("dense_0", (4,), 10, 10),), 8, 5_000_000)
EPOCHS: tuple[Event, ...] = (
    StageStarted("all layers", 20),
    EpochStarted("all layers", 1, 2),
    StageAdvanced("all layers", 10),
    EpochEnded("all layers", 1, 2, 0.8, 0.7, 0.5),
    EpochStarted("all layers", 2, 2),
    StageAdvanced("all layers", 20),
    EpochEnded("all layers", 2, 2, 0.6, 0.5, 0.75),
    StageEnded("all layers", "val accuracy 0.750  (epoch 2 kept)"),
)


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


def tell(reporter: LineReporter, *events: Event) -> None:
    with reporter:
        for event in events:
            reporter.report(event)


def test_what_is_worth_a_line_gets_one(capsys: pytest.CaptureFixture[str]) -> None:
    tell(LineReporter(), *EVENTS)
    assert capsys.readouterr() == (
        "",
        " 5 classes\n warning: skipped 2\n head                     val accuracy 0.973\n",
    )


def test_quiet_keeps_warnings_alone(capsys: pytest.CaptureFixture[str]) -> None:
    tell(LineReporter(quiet=True), *EVENTS)
    assert capsys.readouterr() == ("", " warning: skipped 2\n")


def test_a_long_stage_says_how_fast_it_was(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter((100.0, 104.0))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    tell(
        LineReporter(),
        StageStarted("features", 600),
        StageAdvanced("features", 600),
        StageEnded("features"),
    )
    assert capsys.readouterr().err == " features                 600 in 4.0 s (150/s)\n"


def test_a_stage_counts_from_its_own_start(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter((0.0, 1.0, 10.0, 15.0))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    tell(
        LineReporter(),
        StageStarted("one", 9),
        StageAdvanced("one", 9),
        StageEnded("one"),
        StageStarted("two"),
        StageEnded("two"),
    )
    assert capsys.readouterr().err == " two                      5.0 s\n"


def test_an_error_goes_through(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt), LineReporter():
        raise KeyboardInterrupt
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("terminal", "quiet", "bars", "lines"),
    [
        (False, False, True, True),
        (True, True, True, True),
        (True, False, False, True),
        (True, False, True, False),
    ],
)
def test_bars_are_for_a_terminal_and_only_where_wanted(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, quiet: bool, bars: bool, lines: bool
) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal() if terminal else io.StringIO())
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(make_reporter(quiet=quiet, bars=bars), LineReporter) is lines


def test_bars_tell_what_lines_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    with make_reporter() as reporter:
        for event in EVENTS:
            reporter.report(event)
    shown = terminal.getvalue()
    for text in (
        " 5 classes\n",
        "reading pictures",
        "10/10",
        " warning: skipped 2\n",
        "val accuracy 0.973",
    ):
        assert text in shown
    assert shown.endswith("\n")


def test_a_terminal_without_a_cursor_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_reporter(), LineReporter)


def test_the_model_is_shown_a_line_a_layer(capsys: pytest.CaptureFixture[str]) -> None:
    tell(LineReporter(), MODEL)
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split()[:1] for line in err.splitlines()] == [["layers"], ["dense_0"], ["10"]]
    assert all(line.startswith("   ") for line in err.splitlines())


def test_every_epoch_gets_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    tell(LineReporter(), *EPOCHS)
    assert capsys.readouterr().err == (
        " all layers               epoch 1/2  loss 0.800  val loss 0.700  val accuracy 0.500\n"
        " all layers               epoch 2/2  loss 0.600  val loss 0.500  val accuracy 0.750\n"
        " all layers               val accuracy 0.750  (epoch 2 kept)\n"
    )


def test_quiet_leaves_out_model_and_epochs(capsys: pytest.CaptureFixture[str]) -> None:
    tell(LineReporter(quiet=True), MODEL, *EPOCHS)
    assert capsys.readouterr() == ("", "")


def show_epochs(monkeypatch: pytest.MonkeyPatch, columns: int, *events: Event) -> str:
    """What a terminal is sent."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    for name, value in (("TERM", "xterm"), ("NO_COLOR", "1"), ("COLUMNS", str(columns))):
        monkeypatch.setenv(name, value)
    with make_reporter() as reporter:
        for event in events:
            reporter.report(event)
    return terminal.getvalue()


def test_the_line_of_a_training_carries_its_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    shown = show_epochs(monkeypatch, 80, MODEL, *EPOCHS)
    assert "   dense_0" in shown.split("all layers")[0]
    last = next(line for line in reversed(shown.splitlines()) if "epoch 2/2" in line)
    assert " all layers  ━━━━━━━━  epoch 2/2  loss 0.600 █▁  val 0.750 ▁█  " in last
    assert "…" not in shown
    assert shown.endswith(" all layers               val accuracy 0.750  (epoch 2 kept)\n")


def test_a_terminal_without_unicode_gets_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    shown = show_epochs(monkeypatch, 80, *EVENTS, *EPOCHS)
    assert "--------  epoch 2/2  loss 0.600 #_  val 0.750 _#" in shown
    assert shown.isascii()


def test_a_warning_stands_above_a_training_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    started, *rest = EPOCHS
    events = (started, *rest[:3], Warned("it rains"), *rest[3:])
    shown = show_epochs(monkeypatch, 80, *events)
    before, after = shown.split(" warning: it rains\n")
    assert "epoch 1/2" in before
    assert "epoch 2/2  loss 0.600" in after


def test_a_training_that_ends_in_an_error_leaves_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = show_epochs(monkeypatch, 80, *EPOCHS[:4])
    *_, last, cursor = shown.splitlines()
    assert "epoch 1/2  loss 0.800" in last
    assert cursor == "\x1b[?25h"


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 120])
def test_no_line_is_broken(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    shown = show_epochs(monkeypatch, columns, *EPOCHS[:-1])
    escape = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
    lines = [escape.sub("", line) for line in re.split(r"[\r\n]+", shown)]
    assert len(lines) > 2
    assert max(map(len, lines)) <= columns
