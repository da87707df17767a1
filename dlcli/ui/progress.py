"""Events -> lines on stderr; bars where it is a terminal."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from dlcli.events import (
    EpochEnded,
    Event,
    ModelShown,
    Said,
    StageAdvanced,
    StageEnded,
    StageStarted,
    Warned,
)
from dlcli.ui import console
from dlcli.ui.model_table import epoch_words, model_lines
from dlcli.ui.training_line import NAME_WIDTH

if TYPE_CHECKING:
    from dlcli.ui.bars import BarReporter

LONG_SECONDS = 2.0
"""Away from a terminal, a stage that took longer than this leaves a line."""


class LineReporter:
    """Plain lines, for pipes and logs; with `quiet` only warnings."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._started = 0.0
        self._done = 0

    def report(self, event: Event) -> None:
        """Prints what is worth a line."""
        match event:
            case Warned(text):
                console.print_warning(text)
            case Said(text) if not self._quiet:
                console.print_note(text)
            case ModelShown() if not self._quiet:
                for line in model_lines(event):
                    console.print_note(line)
            case EpochEnded(name) if not self._quiet:
                console.print_note(f"{name:<{NAME_WIDTH}} {epoch_words(event)}")
            case StageStarted():
                self._started, self._done = time.monotonic(), 0
            case StageAdvanced(_, done):
                self._done = done
            case StageEnded(name, detail) if not self._quiet:
                self._print_end(name, detail)

    def _print_end(self, name: str, detail: str) -> None:
        seconds = time.monotonic() - self._started
        if detail:
            console.print_note(f"{name:<{NAME_WIDTH}} {detail}")
        elif seconds > LONG_SECONDS:
            rate = f"{self._done} in " if self._done else ""
            speed = f" ({self._done / seconds:.0f}/s)" if self._done else ""
            console.print_note(f"{name:<{NAME_WIDTH}} {rate}{seconds:.1f} s{speed}")

    def __enter__(self) -> LineReporter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is held."""


def make_reporter(*, quiet: bool = False, bars: bool = True) -> LineReporter | BarReporter:
    """Bars where stderr is a terminal and they are wanted, else plain lines."""
    if bars and not quiet and console.is_terminal(sys.stderr):
        from dlcli.ui.bars import BarReporter  # Rich takes a while to import

        return BarReporter()
    return LineReporter(quiet=quiet)
