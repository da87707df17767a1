"""The processes of a training, here as threads, which meet on the loopback."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dlcli.cluster import meeting
from dlcli.cluster import team as module
from dlcli.cluster.launch import Launch
from dlcli.cluster.link import PeerError
from dlcli.cluster.team import Team, joined
from dlcli.errors import ExitCode, ResourceError

Work = Callable[[Team], Any]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Process:
    """One process: `result` is what its work gave or how it failed, `ended` why it was ended."""

    def __init__(self, launch: Launch, work: Work) -> None:
        self.result: Any = None
        self.ended: list[PeerError] = []
        self._launch, self._work = launch, work
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self) -> Process:
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self

    def _run(self) -> None:
        try:
            with joined(self._launch, self.ended.append) as team:
                self.result = self._work(team)
        except BaseException as error:  # noqa: BLE001 - it is what is looked at
            self.result = error


def start(*works: Work, count: int | None = None) -> list[Process]:
    port, count = free_port(), count or len(works)
    return [
        Process(Launch("127.0.0.1", port, count, number), work) for number, work in enumerate(works)
    ]


def heard_by(process: Process) -> PeerError:
    """Why it was ended, once it is."""
    for _ in range(200):
        if process.ended:
            break
        time.sleep(0.05)
    (heard,) = process.ended
    return heard


def agreeing(**facts: str) -> Work:
    return lambda team: team.agree(facts)


def test_all_go_on_when_all_have_agreed() -> None:
    processes = start(*[agreeing(spec="epochs: 3")] * 3)
    assert [process.wait().result for process in processes] == [None, None, None]
    assert [process.ended for process in processes] == [[], [], []]


def test_what_differs_is_named_and_ends_all() -> None:
    here, there = agreeing(spec="a: 1\nepochs: 3"), agreeing(spec="a: 1\nepochs: 5")
    first, second, third = start(here, here, there)
    error = first.wait().result
    assert isinstance(error, PeerError)
    assert error.exit_code == ExitCode.USAGE
    words = "process 2 has another spec (epochs: 5 there, epochs: 3 in process 0)"
    assert words in str(error)
    for process in (second, third):
        heard = heard_by(process)
        assert words in str(heard)
        assert heard.exit_code == ExitCode.USAGE


def test_orders_reach_all_with_their_arrays() -> None:
    arrays = {"weights/0": np.arange(6, dtype=np.float32).reshape(2, 3)}

    def lead(team: Team) -> None:
        team.order({"batch_size": 8}, arrays)

    def follow(team: Team) -> Any:
        return [team.next_order(), team.next_order()]

    _, *others = start(lead, follow, follow)
    for process in others:
        order, end = process.wait().result
        assert end is None
        facts, given = order
        assert facts == {"batch_size": 8}
        np.testing.assert_array_equal(given["weights/0"], arrays["weights/0"])


def test_the_failure_of_one_ends_the_others_with_its_sentence() -> None:
    ended = threading.Event()

    def wait(_: Team) -> None:
        ended.wait(10)

    def fail(_: Team) -> None:
        raise ResourceError("the disk is full.", where="/runs")

    first, second, third = start(wait, fail, wait)
    assert str(second.wait().result) == "/runs: the disk is full."
    for process in (first, third):
        heard = heard_by(process)
        assert str(heard) == "process 1 has ended: /runs: the disk is full."
        assert heard.exit_code == ExitCode.RESOURCE
    ended.set()


def test_who_fails_as_another_is_gone_ends_with_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_NEWS_SECONDS", 1.0)

    def step(team: Team) -> None:
        with team.in_step():
            raise ValueError("connection reset by peer")

    def fall(team: Team) -> None:
        time.sleep(0.5)
        team._leader._socket.shutdown(socket.SHUT_RDWR)

    first, second, _ = start(step, step, fall)
    for process in (first, second):
        assert isinstance(process.wait().result, ValueError)
        (heard,) = process.ended
        assert str(heard) == "process 2 is gone. Go on with --resume RUN."


def test_what_is_expected_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_NEWS_SECONDS", 60.0)

    def step(team: Team) -> None:
        with team.in_step():
            raise ResourceError("there is not enough memory.")

    (alone,) = start(step)
    assert isinstance(alone.wait().result, ResourceError)


def test_one_that_does_not_come_ends_those_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "JOIN_SECONDS", 1.5)
    first, second = start(agreeing(), agreeing(), count=3)
    for process in (first, second):
        error = process.wait().result
        assert isinstance(error, PeerError)
        assert "process 2 of 3 did not come within" in str(error)
        assert error.exit_code == ExitCode.RESOURCE


def test_two_of_one_number_and_another_count_are_refused() -> None:
    port = free_port()
    first = Process(Launch("127.0.0.1", port, 2, 0), agreeing())
    other = Process(Launch("127.0.0.1", port, 3, 1), agreeing())
    words = "process 1 knows of 3 processes, process 0 of 2"
    assert words in str(first.wait().result)
    assert words in str(other.wait().result)


def test_a_knock_of_somebody_else_changes_nothing() -> None:
    port = free_port()
    first = Process(Launch("127.0.0.1", port, 2, 0), agreeing())
    while True:
        try:
            knock = socket.create_connection(("127.0.0.1", port), 5)
            break
        except ConnectionRefusedError:
            continue
    with knock:
        knock.sendall(b"GET / HTTP/1.1\r\n\r\n")
    for _ in range(20):  # gone before anybody looks, as those that look for open ports are
        knock = socket.create_connection(("127.0.0.1", port), 5)
        knock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        knock.close()
    second = Process(Launch("127.0.0.1", port, 2, 1), agreeing())
    assert (first.wait().result, second.wait().result) == (None, None)


def test_a_taken_port_is_said() -> None:
    with socket.create_server(("", 0)) as server:
        launch = Launch("127.0.0.1", server.getsockname()[1], 2, 0)
        error = Process(launch, agreeing()).wait().result
    assert isinstance(error, ResourceError)
    assert "cannot be opened" in str(error)


def test_all_know_where_the_others_reach_them() -> None:
    """Process 0 alone sees where the others come from: those on its own host by the loopback."""
    assert meeting.most_reachable(["127.0.0.1", "10.0.0.1", "127.0.0.1"]) == "10.0.0.1"
    assert meeting.most_reachable(["::1"]) == "::1"
    assert meeting.reached_at("127.0.0.1", own="10.0.0.1") == "10.0.0.1"
    assert meeting.reached_at("10.0.0.2", own="10.0.0.1") == "10.0.0.2"
    assert meeting.reached_at("fe80::1%eth0", own="fe80::2%eth0") == "fe80::1%eth0"
    processes = start(*[where] * 2)
    assert [process.wait().result for process in processes] == ["127.0.0.1"] * 2


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_they_meet_by_ipv6_as_well() -> None:
    port = free_port()
    processes = [Process(Launch("::1", port, 2, number), where) for number in range(2)]
    assert [process.wait().result for process in processes] == ["::1", "::1"]


def where(team: Team) -> str:
    return team.meeting.address


def test_a_port_of_the_framework_that_is_not_reached_ends_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(meeting, "_reaches", lambda *_: False)
    first, second = start(agreeing(), agreeing())
    for error in (first.wait().result, heard_by(second)):
        assert "process 1 does not reach port" in str(error)
        assert error.exit_code == ExitCode.RESOURCE


def test_something_else_at_the_port_is_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "JOIN_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def greet() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"220 mail.example.org ESMTP\r\n")

        threading.Thread(target=greet, daemon=True).start()
        error = Process(Launch("127.0.0.1", port, 2, 1), agreeing()).wait().result
    assert f"process 0 was not met at 127.0.0.1:{port}" in str(error)
