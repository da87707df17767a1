"""How the processes of a training find each other: process 0 listens, and the others knock."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dlcli.cluster.launch import Launch
from dlcli.cluster.link import Link, PeerError, is_of_one_host
from dlcli.errors import ExitCode, ResourceError

JOIN_SECONDS = 50.0
_HELLO_SECONDS, _TRY_SECONDS = 5.0, 5.0


@dataclass(frozen=True)
class Meeting:
    """The connections of this process, by the number of the other one. `address` is where all
    others reach it, and `port` a free one of the host of process 0: both are for the framework,
    which would believe the host's own name, and that is often one of the loopback."""

    links: Mapping[int, Link]
    port: int
    address: str


def meet(launch: Launch) -> Meeting:
    """Waits until all are connected.

    Raises:
        ResourceError: if one does not come within `JOIN_SECONDS`, or the port is taken.
    """
    deadline = time.monotonic() + JOIN_SECONDS
    return (_gather if launch.process_id == 0 else _knock)(launch, deadline)


def _gather(launch: Launch, deadline: float) -> Meeting:
    """Process 0 waits for the others."""
    links: dict[int, Link] = {}
    try:
        server = _listen(launch.port)
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
            try:
                link = Link(connection)
                hello, _ = link.receive(_HELLO_SECONDS, most=0)
                process_id, count = int(hello["process_id"]), int(hello["num_processes"])
            except (OSError, ValueError, KeyError, TypeError):
                connection.close()  # somebody else's knock; who belongs here knocks again
                continue
            fault = _fault(process_id, count, launch, links)
            if fault is not None:
                link.tell("end", what=fault, code=int(ExitCode.USAGE))
                raise _refused(links, PeerError(fault, ExitCode.USAGE))
            links[process_id] = link
    own = most_reachable(link.own_address for link in links.values())
    with _listen(0) as framework:
        port = int(framework.getsockname()[1])
        for process_id, link in links.items():
            _require_reached(process_id, link, port, reached_at(link.other_address, own), links)
    return Meeting(links, port, own)


def _require_reached(
    process_id: int, link: Link, port: int, address: str, links: Mapping[int, Link]
) -> None:
    """Lets one of the others try the port of the framework, which would wait for minutes."""
    try:
        link.send("welcome", port=port, address=address)
        answer, _ = link.receive(_TRY_SECONDS + _HELLO_SECONDS, most=0)
    except (OSError, ValueError):
        raise _refused(links, PeerError(f"process {process_id} is gone.")) from None
    if answer["kind"] != "reached":
        raise _refused(
            links,
            PeerError(
                f"process {process_id} does not reach port {port} of process 0.",
                fix="Let these hosts reach each other at all ports: the framework chooses its own.",
            ),
        )


def _knock(launch: Launch, deadline: float) -> Meeting:
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
            answer, _ = link.receive(max(1.0, deadline + 5.0 - time.monotonic()), most=0)
            if answer["kind"] == "end":
                raise PeerError(answer["what"], answer["code"])
            meeting = Meeting({0: link}, int(answer["port"]), str(answer["address"]))
            link.send("reached" if _reaches(launch.host, meeting.port) else "unreached")
            return meeting
        except (OSError, ValueError, KeyError):  # nobody there, or somebody else
            if time.monotonic() > deadline:
                raise lost from None
            time.sleep(0.2)


def _listen(port: int) -> socket.socket:
    """At every address of this host."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))


def _reaches(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=_TRY_SECONDS).close()
    except OSError:
        return False
    return True


def reached_at(address: str, own: str) -> str:
    """Where all others reach a process that comes from an address: beside this one, on its host, it
    is reached as this one is."""
    return own if is_of_one_host(address) else address


def most_reachable(addresses: Iterable[str]) -> str:
    """One that other hosts know, if there is any."""
    return min(addresses, key=is_of_one_host, default="127.0.0.1")


def _missing(missing: set[int], launch: Launch) -> PeerError:
    those = ", ".join(map(str, sorted(missing)))
    return PeerError(
        f"process {those} of {launch.num_processes} did not come within {JOIN_SECONDS:.0f} s.",
        fix=f"Start it with --process-id, or see whether it reaches {launch.host}:{launch.port}.",
    )


def _fault(process_id: int, count: int, launch: Launch, links: Mapping[int, Link]) -> str | None:
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
        link.tell("end", what=str(error), code=int(error.exit_code))
    return error
