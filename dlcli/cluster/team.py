"""The processes of one training, connected: they begin together, agree, and end together.

Process 0 leads: it listens, and each of the others holds one connection to it. Whoever falls silent
is gone, and then all end with a sentence, wherever they are at that moment: a step that waits for
a process that is gone would wait for ever.
"""

from __future__ import annotations

import contextlib
import io
import json
import queue
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcli.cluster.launch import Launch
from dlcli.errors import DlcliError, ExitCode, ResourceError

JOIN_SECONDS = 50.0
SILENCE_SECONDS = 40.0
_HELLO_SECONDS, _PING_SECONDS, _LEAVE_SECONDS, _NEWS_SECONDS = 5.0, 5.0, 20.0, 10.0
_SIZES = struct.Struct("!IQ")
_MOST_HEADER = 2**24

Arrays = Mapping[str, NDArray[Any]]


class PeerError(DlcliError):
    """Another process of the training has failed; `code` is the exit code that it ends with."""

    def __init__(self, what: str, code: int = ExitCode.RESOURCE, fix: str = "") -> None:
        super().__init__(what, fix=fix)
        self.exit_code = ExitCode(code)


class Link:
    """One connection: messages of a few facts and maybe some bytes."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._sending = threading.Lock()
        self.messages: queue.Queue[tuple[dict[str, Any], bytes]] = queue.Queue()

    def send(self, kind: str, content: bytes = b"", **facts: Any) -> None:
        """Sends one message.

        Raises:
            OSError: if nobody is there.
        """
        header = json.dumps({"kind": kind, **facts}).encode("ascii")
        with self._sending:
            self._socket.sendall(_SIZES.pack(len(header), len(content)) + header)
            self._socket.sendall(content)

    def receive(self, seconds: float) -> tuple[dict[str, Any], bytes]:
        """The next message.

        Raises:
            OSError: if none comes for so long, or nobody is there.
            ValueError: if it is no message.
        """
        self._socket.settimeout(seconds)
        header_size, size = _SIZES.unpack(self._read(_SIZES.size))
        if header_size > _MOST_HEADER:
            raise ValueError("this is no message of a training")
        facts = json.loads(self._read(header_size))
        return dict(facts), self._read(size)

    def close(self) -> None:
        """Hangs up."""
        self._socket.close()

    def _read(self, size: int) -> bytes:
        content = bytearray(size)
        view = memoryview(content)
        while view:
            count = self._socket.recv_into(view)
            if not count:
                raise ConnectionResetError("the other end has hung up")
            view = view[count:]
        return bytes(content)


class Team:
    """All processes of a training as one of them sees the others. `port` is a free one of the host
    of process 0, for the framework. `on_end` is told why this process must end now, in a thread of
    its own, and does not come back. `on_interrupt` is told in process 0 that Ctrl-C was pressed
    in another one, `on_leave` in the others that all is done, before process 0 goes."""

    def __init__(
        self, launch: Launch, links: Mapping[int, Link], port: int, on_end: Callable[..., None]
    ) -> None:
        self.launch, self.port = launch, port
        self._links, self._on_end = links, on_end
        self._is_over = threading.Event()
        self.on_interrupt: Callable[[], None] = lambda: None
        self.on_leave: Callable[[], None] = lambda: None
        self._listeners = [
            threading.Thread(target=self._listen, args=both, daemon=True) for both in links.items()
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
        with contextlib.suppress(OSError):
            self._leader.send("interrupt")

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
            with contextlib.suppress(OSError):
                link.send("done")
        for listener in self._listeners:
            listener.join(_LEAVE_SECONDS)

    def fail(self, why: str, code: int) -> None:
        """Tells the others that this process ends, and why."""
        self._is_over.set()
        for link in self._links.values():
            with contextlib.suppress(OSError):
                link.send("end", what=why, code=int(code))

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
                with contextlib.suppress(OSError):  # whoever listens to it says that it is gone
                    link.send("ping")

    def _end(self, error: PeerError, process_id: int) -> None:
        if self._is_over.is_set():
            return
        self._is_over.set()
        for other, link in self._links.items():
            if other != process_id:
                with contextlib.suppress(OSError):
                    link.send("end", what=str(error), code=int(error.exit_code))
        self._on_end(error)


@contextmanager
def joined(launch: Launch, on_end: Callable[[PeerError], None]) -> Iterator[Team]:
    """The team, once all have come. If the block fails in one process all others end, too.

    Raises:
        ResourceError: if one does not come within `JOIN_SECONDS`, or the port is taken.
    """
    deadline = time.monotonic() + JOIN_SECONDS
    gather = _gather if launch.process_id == 0 else _meet
    links, port = gather(launch, deadline)
    team = Team(launch, links, port, on_end)
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


def _gather(launch: Launch, deadline: float) -> tuple[dict[int, Link], int]:
    """Process 0 waits for the others."""
    links: dict[int, Link] = {}
    try:
        server = socket.create_server(("", launch.port))
    except OSError as error:
        raise ResourceError(
            f"port {launch.port} cannot be opened ({error.strerror}).",
            where="--hosts",
            fix="Name a free one, the same for all processes.",
        ) from error
    with server:
        expected = set(range(1, launch.num_processes))
        while missing := expected - links.keys():
            server.settimeout(max(0.1, deadline - time.monotonic()))
            try:
                connection, _ = server.accept()
            except TimeoutError:
                raise _refused(links, _missing(missing, launch)) from None
            link = Link(connection)
            try:
                hello, _ = link.receive(_HELLO_SECONDS)
            except (OSError, ValueError):
                link.close()  # somebody else's knock; who belongs here knocks again
                continue
            fault = _fault(hello, launch, links)
            if fault is not None:
                link.send("end", what=fault, code=int(ExitCode.USAGE))
                raise _refused(links, PeerError(fault, ExitCode.USAGE))
            links[hello["process_id"]] = link
    port = _free_port()
    for link in links.values():
        link.send("welcome", port=port)
    return links, port


def _missing(missing: set[int], launch: Launch) -> PeerError:
    those = ", ".join(map(str, sorted(missing)))
    return PeerError(
        f"process {those} of {launch.num_processes} did not come within {JOIN_SECONDS:.0f} s.",
        fix=f"Start it with --process-id, or see whether it reaches {launch.host}:{launch.port}.",
    )


def _fault(hello: Mapping[str, Any], launch: Launch, links: Mapping[int, Link]) -> str | None:
    process_id, count = hello.get("process_id"), hello.get("num_processes")
    if count != launch.num_processes:
        return f"process {process_id} knows of {count} processes, process 0 of " + str(
            launch.num_processes
        )
    if process_id in links or process_id == 0:
        return f"there are two processes with number {process_id}"
    return None


def _refused(links: Mapping[int, Link], error: PeerError) -> PeerError:
    """Tells those who have come."""
    for link in links.values():
        with contextlib.suppress(OSError):
            link.send("end", what=str(error), code=int(error.exit_code))
    return error


def _meet(launch: Launch, deadline: float) -> tuple[dict[int, Link], int]:
    """The others look for process 0."""
    where = f"{launch.host}:{launch.port}"
    lost = PeerError(
        f"process 0 was not met at {where} within {JOIN_SECONDS:.0f} s.",
        fix="Start it there, and see whether the port can be reached.",
    )
    while True:
        try:
            connection = socket.create_connection((launch.host, launch.port), timeout=5.0)
            link = Link(connection)
            link.send("hello", process_id=launch.process_id, num_processes=launch.num_processes)
            answer, _ = link.receive(max(1.0, deadline + 5.0 - time.monotonic()))
        except OSError:
            if time.monotonic() > deadline:
                raise lost from None
            time.sleep(0.2)
            continue
        if answer["kind"] == "end":
            raise PeerError(answer["what"], answer["code"])
        return {0: link}, int(answer["port"])


def _free_port() -> int:
    with socket.create_server(("", 0)) as server:
        return int(server.getsockname()[1])


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
