"""A live line for a stage that trains layers."""

from __future__ import annotations

import time

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from dlcli.events import EpochEnded, EpochStarted
from dlcli.ui.training_line import TrainingShown, training_line

_TIMES_A_SECOND = 5


class TrainingView:
    """Keeps what was told of a stage, and shows it until it is over or something else is said.

    Speed and time left count from the first pictures that are done: what comes before (a network
    is traced) comes once.
    """

    def __init__(self, console: Console, total: int | None) -> None:
        self._console, self._total = console, total
        self._started = time.monotonic()
        self._first: tuple[float, int] | None = None
        self._done = 0
        self._begun = EpochStarted("", 1, 1)
        self._ended: list[EpochEnded] = []
        self._is_over = False
        self._live: Live | None = None

    def begin(self, event: EpochStarted) -> None:
        """Another epoch."""
        self._begun = event

    def advance(self, done: int) -> None:
        """So many pictures of the stage are behind us."""
        self._done = done
        if self._first is None and done:
            self._first = time.monotonic(), done

    def end(self, event: EpochEnded) -> None:
        """An epoch is over."""
        self._ended.append(event)

    def show(self) -> None:
        """From now on the line is on the screen."""
        # Rows of the answer may go to the same terminal: Rich must not catch them.
        self._live = Live(
            self,
            console=self._console,
            refresh_per_second=_TIMES_A_SECOND,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start(refresh=True)

    def hide(self) -> None:
        """Takes the line off the screen, for something else to be said there."""
        self._stop(transient=True)

    def finish(self) -> None:
        """Leaves the line as it is, with the time it took."""
        self._is_over = True
        self._stop(transient=False)

    def _stop(self, *, transient: bool) -> None:
        if self._live is not None:
            self._live.transient = transient
            self._live.stop()
        self._live = None

    def shown(self) -> TrainingShown:
        """What there is to be told now."""
        now = time.monotonic()
        speed = left = None
        if self._first is not None and self._done > self._first[1]:
            speed = (self._done - self._first[1]) / (now - self._first[0])
            if self._total is not None:
                left = max(0, self._total - self._done) / speed
        return TrainingShown(
            name=self._begun.name,
            epoch=self._begun.epoch,
            num_epochs=self._begun.num_epochs,
            done=self._done,
            total=self._total,
            losses=tuple(epoch.loss for epoch in self._ended),
            val_accuracies=tuple(
                epoch.val_accuracy for epoch in self._ended if epoch.val_accuracy is not None
            ),
            images_per_second=speed,
            seconds_left=left,
            seconds=now - self._started if self._is_over else None,
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The line, as wide as the terminal is at this moment."""
        colored = console.color_system is not None and not console.no_color
        pieces = training_line(
            self.shown(), options.max_width, plain=options.ascii_only, colored=colored
        )
        yield Text.assemble(*pieces, no_wrap=True, overflow="crop", end="")
