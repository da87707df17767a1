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
    EpochStarted,
    Event,
    ModelShown,
    Said,
    StageAdvanced,
    StageEnded,
    StageStarted,
    Warned,
)
from dlcli.ui import console
from dlcli.ui.model_table import model_lines
from dlcli.ui.training_line import NAME_WIDTH
from dlcli.ui.training_view import TrainingView

_ROOMY, _NARROW = 80, 60
"""Columns of a terminal in which a bar has all its room, and in which it has some."""


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


def _columns(width: int) -> list[ProgressColumn]:
    """What a terminal has room for: a column that is cut tells nothing."""
    name, bar = (NAME_WIDTH, 24) if width >= _ROOMY else (0, 8)
    columns: list[ProgressColumn] = [
        TextColumn(f" {{task.description:<{name}}}"),
        BarColumn(bar_width=bar),
        _CountColumn(),
    ]
    if width >= _NARROW:
        columns += [_SpeedColumn(), TimeRemainingColumn(compact=True)]
    return columns


class _Terminal(Console):
    """stderr, in ASCII where the terminal may know no more."""

    @property
    def encoding(self) -> str:
        """What Rich chooses its characters by."""
        return "ascii" if console.is_plain(sys.stderr) else super().encoding


class BarReporter:
    """A bar a stage, with its speed and the time left; what else is said goes above it. A stage
    that trains layers shows its epochs beside the bar."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._training: TrainingView | None = None
        self._total: int | None = None

    def report(self, event: Event) -> None:
        """Moves the bar, or prints a line."""
        match event:
            case Said() | Warned() | ModelShown():
                self._say(event)
            case StageStarted(name, total):
                self._stop()
                self._start(name, total)
            case EpochStarted():
                self._begin_epoch(event)
            case EpochEnded() if self._training is not None:
                self._training.end(event)
            case StageAdvanced(_, done):
                self._advance(done)
            case StageEnded(name, detail):
                self._end(name, detail)

    def _say(self, event: Said | Warned | ModelShown) -> None:
        if self._training is None:
            self._stop()
        else:
            self._training.hide()
        match event:
            case Said(text):
                console.print_note(text)
            case Warned(text):
                console.print_warning(text)
            case ModelShown():
                for line in model_lines(event):
                    console.print_note(line)
        if self._training is not None:
            self._training.show()

    def _begin_epoch(self, event: EpochStarted) -> None:
        """With the first one the bar gives way to the view of a training."""
        if self._training is None:
            self._stop(leave=False)
            self._training = TrainingView(_Terminal(file=sys.stderr), self._total)
            self._training.begin(event)
            self._training.show()
        else:
            self._training.begin(event)

    def _start(self, name: str, total: int | None) -> None:
        # Rows of the answer may go to the same terminal: Rich must not catch them.
        self._total = total
        terminal = _Terminal(file=sys.stderr)
        self._progress = Progress(
            *_columns(terminal.width),
            console=terminal,
            redirect_stdout=False,
            redirect_stderr=False,
            transient=total is None,
        )
        self._progress.add_task(escape(name), total=total)
        self._progress.start()

    def _advance(self, done: int) -> None:
        if self._training is not None:
            self._training.advance(done)
        elif self._progress is not None:
            self._progress.update(self._progress.task_ids[0], completed=done)

    def _end(self, name: str, detail: str) -> None:
        if self._progress is not None:
            task = self._progress.tasks[0]
            if task.completed:
                self._progress.update(task.id, total=task.completed)
                self._progress.live.transient = False
        self._stop()
        if detail:
            console.print_note(f"{name:<{NAME_WIDTH}} {detail}")

    def _stop(self, *, leave: bool = True) -> None:
        if self._progress is not None:
            if not leave:
                self._progress.live.transient = True
            self._progress.stop()
        if self._training is not None:
            self._training.finish()
        self._progress = self._training = None

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
