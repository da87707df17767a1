"""How a command ends: a sentence and an exit code, or a traceback for a bug."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer

from dlcli.endings import sentences
from dlcli.errors import DataError, DlcliError, GateError, ResourceError, SpecError, UsageError


@pytest.fixture(autouse=True)
def keep_signals() -> Iterator[None]:
    """An interrupted command no longer listens to Ctrl-C; these tests must."""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def ending(error: BaseException) -> int:
    """The exit code of a command that raises `error`."""
    with pytest.raises(typer.Exit) as caught, sentences():
        raise error
    return int(caught.value.exit_code)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("wrong.", where="--run", fix="Mend it."), 2),
        (SpecError(["a.yaml:1:1 is wrong"]), 3),
        (DataError("wrong.", where="here", fix="Mend it."), 4),
        (GateError("wrong.", where="here", fix="Mend it."), 6),
        (ResourceError("wrong.", where="here", fix="Mend it."), 7),
    ],
)
def test_an_expected_failure_is_its_sentence_and_its_code(
    error: DlcliError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(error) == code
    assert capsys.readouterr() == ("", f"{error}\n")


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 7, "not enough memory"),
        (OSError(errno.ENOSPC, "No space left on device", "/runs"), 7, "No space left"),
    ],
)
def test_what_the_machine_does_is_a_sentence(
    error: BaseException, code: int, word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(error) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert word in err


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyError("a bug"), OSError("a bug")])
def test_a_bug_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error), match="a bug"), sentences():
        raise error


def test_an_unexpected_end_of_a_file_is_a_bug_and_no_ctrl_d() -> None:
    with pytest.raises(RuntimeError, match="end of a file"), sentences():
        raise EOFError


@pytest.mark.parametrize(
    ("statement", "code", "word"),
    [
        ("pass", 0, ""),
        ("raise SystemExit(5)", 5, ""),
        ("raise KeyboardInterrupt", 130, ""),
        ("raise ValueError('a bug')", 1, "ValueError: a bug"),
        # With TensorFlow loaded the process ends the long way, for its temporary files.
        ("sys.modules['tensorflow'] = sys; raise SystemExit(3)", 3, ""),
        ("sys.modules['tensorflow'] = sys; raise KeyboardInterrupt", 130, ""),
    ],
)
def test_a_process_ends_with_the_code_and_all_it_printed(
    statement: str, code: int, word: str
) -> None:
    script = f"""
import sys
from dlcli.endings import run_app
def app(prog_name):
    print("answer")
    {statement}
run_app(app)
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (code, "answer\n")
    assert word in done.stderr
    assert bool(done.stderr) == bool(word)
