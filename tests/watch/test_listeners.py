"""Many listeners, none of whom can stop the work."""

from __future__ import annotations

import pytest

from dlcli.errors import ExitCode
from dlcli.events import Event, Said, StageStarted, Warned
from dlcli.watch.listeners import Listeners, missing, reason, without_password
from tests.conftest import Recorder

EVENTS = (StageStarted("one"), Said("two"), StageStarted("three"))


class Failing(Recorder):
    """Fails at the second event, with that error."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def report(self, event: Event) -> None:
        super().report(event)
        if len(self.events) == 2:
            raise self._error


def test_everybody_hears_everything_in_its_order() -> None:
    own, one, two = Recorder(), Recorder(), Recorder()
    everybody = Listeners(own, {"one": one, "two": two})
    for event in EVENTS:
        everybody.report(event)
    assert tuple(own.events) == tuple(one.events) == tuple(two.events) == EVENTS


def test_one_that_fails_is_told_of_once_and_the_others_go_on() -> None:
    own, sound = Recorder(), Recorder()
    failing = Failing(ConnectionError("http://me:secret@host is away\nand more"))
    everybody = Listeners(own, {"MLflow": failing, "sound": sound})
    for event in EVENTS:
        everybody.report(event)
    warning = Warned("MLflow fails and is told no more (http://host is away); the training goes on")
    assert own.events == [*EVENTS[:2], warning, EVENTS[2]]
    assert tuple(sound.events) == EVENTS
    assert tuple(failing.events) == EVENTS[:2]


def test_ctrl_c_is_nobody_s_failure() -> None:
    everybody = Listeners(Recorder(), {"slow": Failing(KeyboardInterrupt())})
    everybody.report(EVENTS[0])
    with pytest.raises(KeyboardInterrupt):
        everybody.report(EVENTS[1])


def test_a_missing_package_is_mended_by_a_command() -> None:
    error = missing("tensorboard", "--tensorboard")
    assert error.exit_code == ExitCode.RESOURCE
    assert str(error) == (
        "--tensorboard: this needs tensorboard, which is not installed. "
        "pip install 'dlcli-vision[tensorboard]'"
    )


@pytest.mark.parametrize(
    ("text", "first"),
    [("no.\nmore", "no"), ("", "ValueError"), ("x" * 300, "x" * 240 + " ...")],
)
def test_of_an_error_one_reads_the_first_line(text: str, first: str) -> None:
    assert reason(ValueError(text)) == first


def test_no_password_is_shown() -> None:
    assert without_password("at https://me:p%20w@host:5000/a@b") == "at https://host:5000/a@b"
    assert without_password("sqlite:///a@b.db") == "sqlite:///a@b.db"
