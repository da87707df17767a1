"""The processes of one training, connected: they begin together, agree, and end together.

Process 0 leads: it listens, and each of the others holds one connection to it. Whoever falls silent
is gone, and then all end with a sentence, wherever they are at that moment: a step that waits for
a process that is gone would wait for ever.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli.cluster.launch import Launch
from dlcli.cluster.link import Link, PeerError
from dlcli.cluster.meeting import Meeting, meet
from dlcli.errors import DlcliError, ExitCode

SILENCE_SECONDS = 40.0
_PING_SECONDS, _LEAVE_SECONDS, _NEWS_SECONDS = 5.0, 20.0, 10.0

Arrays = Mapping[str, NDArray[Any]]


class Team:
    """All processes of a training as one of them sees the others. `on_end` is told why this process
    must end now, in a thread of its own, and does not come back. `on_interrupt` is told in process
    0 that Ctrl-C was pressed in another one, `on_leave` in the others that all is done, before
    process 0 goes."""

    def __init__(
        self, launch: Launch, meeting: Meeting, on_end: Callable[[PeerError], None]
    ) -> None:
        self.launch, self.meeting = launch, meeting
        self._links, self._on_end = meeting.links, on_end
        self._is_over = threading.Event()
        self.on_interrupt: Callable[[], None] = lambda: None
        self.on_leave: Callable[[], None] = lambda: None
        self._listeners = [
            threading.Thread(target=self._listen, args=both, daemon=True)
            for both in self._links.items()
        ]
        for listener in self._listeners:
            listener.start()
        threading.Thread(target=self._ping, daemon=True).start()

    @property
    def leads(self) -> bool:
        """Whether this is process 0, which alone writes."""
        return self.launch.process_id == 0

    def agree(self, facts: Mapping[str, str]) -> None:
        """Waits until all have come so far, and compares what must be the same everywhere.

        Raises:
            PeerError: in process 0, if something is not; the others end as they hear of it.
        """
        if not self.leads:
            self._leader.send("facts", facts=dict(facts))
            self._leader.messages.get()
            return
        differing = []
        for process_id, link in self._links.items():
            (message, _) = link.messages.get()
            differing += _differences(process_id, message["facts"], facts)
        if differing:
            raise PeerError(
                f"the processes were not begun alike: {'; '.join(differing)}.",
                ExitCode.USAGE,
                fix="Start all of them with the same command, on the same pictures.",
            )
        for link in self._links.values():
            link.send("agreed")

    def order(self, facts: Mapping[str, Any], arrays: Arrays) -> None:
        """Process 0 tells the others what to do next, and gives them what they need for it."""
        content = io.BytesIO()
        np.savez(content, **arrays)  # type: ignore[arg-type]
        for link in self._links.values():
            link.send("order", content.getvalue(), order=dict(facts))

    def next_order(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
        """What the others are told; None when there is nothing more to do."""
        message, content = self._leader.messages.get()
        if message["kind"] != "order":
            return None
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return message["order"], dict(arrays)

    def ask_to_stop(self) -> None:
        """Lets process 0 save what is reached, and end."""
        self._leader.tell("interrupt")

    @contextmanager
    def in_step(self) -> Iterator[None]:
        """Work that all take part in. It fails in every process when one of them is gone, and the
        framework may notice that first: it waits for the news, which ends this process."""
        try:
            yield
        except DlcliError:
            raise
        except Exception:
            time.sleep(_NEWS_SECONDS)
            raise

    def close(self) -> None:
        """All is done: the others leave when process 0 says so, and process 0 when they have."""
        if not self.leads:
            self._is_over.wait()
            self.on_leave()
            self._leader.close()
            return
        self._is_over.set()
        for link in self._links.values():
            link.tell("done")
        for listener in self._listeners:
            listener.join(_LEAVE_SECONDS)

    def fail(self, why: str, code: int) -> None:
        """Tells the others that this process ends, and why."""
        self._is_over.set()
        for link in self._links.values():
            link.tell("end", what=why, code=int(code))

    @property
    def _leader(self) -> Link:
        return self._links[0]

    def _listen(self, process_id: int, link: Link) -> None:
        while True:
            try:
                message, content = link.receive(SILENCE_SECONDS)
            except (OSError, ValueError):
                gone = f"process {process_id} is gone."
                self._end(PeerError(gone, fix="Go on with --resume RUN."), process_id)
                return
            kind = message["kind"]
            if kind == "end":
                self._end(PeerError(message["what"], message["code"]), process_id)
                return
            if kind == "done":
                self._is_over.set()
            if kind == "interrupt":
                self.on_interrupt()
            elif kind != "ping":
                link.messages.put((message, content))
            if kind == "done":
                return

    def _ping(self) -> None:
        while not self._is_over.wait(_PING_SECONDS):
            for link in self._links.values():
                link.tell("ping")

    def _end(self, error: PeerError, process_id: int) -> None:
        if self._is_over.is_set():
            return
        self._is_over.set()
        for other, link in self._links.items():
            if other != process_id:
                link.tell("end", what=str(error), code=int(error.exit_code))
        self._on_end(error)


@contextmanager
def joined(launch: Launch, on_end: Callable[[PeerError], None]) -> Iterator[Team]:
    """The team, once all have come. If the block fails in one process all others end, too.

    Raises:
        ResourceError: if one does not come within `JOIN_SECONDS`, or the port is taken.
    """
    team = Team(launch, meet(launch), on_end)
    try:
        yield team
    except BaseException as error:
        code = getattr(error, "exit_code", ExitCode.FAULT)
        if isinstance(error, KeyboardInterrupt):
            code = ExitCode.INTERRUPTED
        said = str(error) or type(error).__name__
        if isinstance(error, KeyboardInterrupt):
            said = "interrupted"
        why = f"process {launch.process_id} has ended: {said}"
        team.fail(why, code)
        raise
    team.close()


def _differences(process_id: int, theirs: Mapping[str, str], ours: Mapping[str, str]) -> list[str]:
    """What differs in a process, a few words each; of a text its first line that does."""
    found = []
    for name, own in ours.items():
        other = theirs.get(name, "")
        if other != own:
            pairs = zip(
                [*other.splitlines(), "nothing"], [*own.splitlines(), "nothing"], strict=False
            )
            there, here = next(pair for pair in pairs if pair[0] != pair[1])
            found.append(
                f"process {process_id} has another {name} "
                f"({there.strip()} there, {here.strip()} in process 0)"
            )
    return found
