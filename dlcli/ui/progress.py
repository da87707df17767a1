"""Events -> lines and bars on stderr."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

from dlcli.events import Event, Said, StageAdvanced, StageEnded, StageStarted, Warned
from dlcli.ui import console

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

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
            case StageStarted():
                self._started, self._done = time.monotonic(), 0
            case StageAdvanced(_, done):
                self._done = done
            case StageEnded(name, detail) if not self._quiet:
                self._print_end(name, detail)

    def _print_end(self, name: str, detail: str) -> None:
        seconds = time.monotonic() - self._started
        if detail:
            console.print_note(f"{name:<24} {detail}")
        elif seconds > LONG_SECONDS:
            rate = f"{self._done} in " if self._done else ""
            speed = f" ({self._done / seconds:.0f}/s)" if self._done else ""
            console.print_note(f"{name:<24} {rate}{seconds:.1f} s{speed}")

    def __enter__(self) -> LineReporter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is held."""


class BarReporter:
    """A live bar a stage, with its speed and the time left; for a terminal."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def report(self, event: Event) -> None:
        """Moves the bar, or prints a line above it."""
        match event:
            case Said(text):
                self._stop()
                console.print_note(text)
            case Warned(text):
                self._stop()
                console.print_warning(text)
            case StageStarted(name, total):
                self._start(name, total)
            case StageAdvanced(_, done) if self._progress is not None and self._task is not None:
                self._progress.update(self._task, completed=done)
            case StageEnded(name, detail):
                self._end(name, detail)

    def _start(self, name: str, total: int | None) -> None:
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._stop()
        # Rows of the answer may go to the same terminal: Rich must not catch them.
        self._progress = Progress(
            TextColumn(" {task.description:<24}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            console=Console(file=sys.stderr),
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task(escape(name), total=total, rate="")
        self._progress.start()

    def _end(self, name: str, detail: str) -> None:
        if self._progress is None or self._task is None:
            return
        task = self._progress.tasks[0]
        if task.total is None and not task.completed:
            # A stage without units leaves its result, not an empty bar.
            self._progress.live.transient = True
            self._stop()
            console.print_note(f"{name:<24} {detail}".rstrip())
            return
        speed = f"{task.completed / max(task.elapsed or 0, 1e-3):.0f}/s"
        self._progress.update(self._task, total=task.completed, rate=speed)
        self._stop()
        if detail:
            console.print_note(f"{name:<24} {detail}")

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
        self._progress = self._task = None

    def __enter__(self) -> BarReporter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leaves the terminal as it was, whatever happened."""
        self._stop()


def make_reporter(*, quiet: bool = False, bars: bool = True) -> LineReporter | BarReporter:
    """Bars where stderr is a terminal and they are wanted, else plain lines."""
    if bars and not quiet and console.is_terminal(sys.stderr):
        return BarReporter()
    return LineReporter(quiet=quiet)
