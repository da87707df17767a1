"""Events -> lines on stderr."""

from __future__ import annotations

import io
import sys
import time

import pytest

from dlcli.events import Event, Said, StageAdvanced, StageEnded, StageStarted, Warned
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
