"""A live bar for each stage, on a terminal's stderr."""

from __future__ import annotations

import sys
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

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
from dlcli.ui.model_table import epoch_label, model_lines
from dlcli.ui.progress import NAME_WIDTH


class _CountColumn(MofNCompleteColumn):
    """`281/750`, or `281` where nobody knows of how many."""

    def render(self, task: Task) -> Text:
        """Empty until there is something to count."""
        if task.total is None:
            return Text(f"{int(task.completed) or '':>8}")
        return super().render(task)


class _SpeedColumn(ProgressColumn):
    """`612/s`, over the whole stage."""

    def render(self, task: Task) -> Text:
        """Empty until there is something to count."""
        elapsed = task.finished_time or task.elapsed or 0.0
        speed = f"{task.completed / elapsed:.0f}/s" if task.completed and elapsed else ""
        return Text(f"{speed:>6}")


class BarReporter:
    """A bar a stage, with its speed and the time left; what else is said goes above it."""

    def __init__(self) -> None:
        self._progress: Progress | None = None

    def report(self, event: Event) -> None:
        """Moves the bar, or prints a line."""
        match event:
            case Said(text):
                self._stop()
                console.print_note(text)
            case Warned(text):
                self._stop()
                console.print_warning(text)
            case ModelShown():
                self._stop()
                for line in model_lines(event):
                    console.print_note(line)
            case EpochEnded():
                self._describe(epoch_label(event))
            case StageStarted(name, total):
                self._stop()
                self._start(name, total)
            case StageAdvanced(_, done):
                self._advance(done)
            case StageEnded(name, detail):
                self._end(name, detail)

    def _start(self, name: str, total: int | None) -> None:
        # Rows of the answer may go to the same terminal: Rich must not catch them.
        self._progress = Progress(
            TextColumn(f" {{task.description:<{NAME_WIDTH}}}"),
            BarColumn(bar_width=24),
            _CountColumn(),
            _SpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=Console(file=sys.stderr),
            redirect_stdout=False,
            redirect_stderr=False,
            transient=total is None,
        )
        self._progress.add_task(escape(name), total=total)
        self._progress.start()

    def _advance(self, done: int) -> None:
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], completed=done)

    def _describe(self, words: str) -> None:
        if self._progress is not None:
            self._progress.update(self._progress.task_ids[0], description=escape(words))

    def _end(self, name: str, detail: str) -> None:
        if self._progress is not None:
            task = self._progress.tasks[0]
            if task.completed:
                self._progress.update(task.id, total=task.completed)
                self._progress.live.transient = False
        self._stop()
        if detail:
            console.print_note(f"{name:<{NAME_WIDTH}} {detail}")

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
        self._progress = None

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
