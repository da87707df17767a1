"""The two streams, and what may go through them."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlcli.ui import console


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.parametrize(
    ("terminal", "environment", "coloured"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"TERM": "dumb"}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": ""}, False),
        (True, {"FORCE_COLOR": "1", "TERM": "dumb"}, True),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    ],
)
def test_colour_obeys_the_stream_and_the_environment(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, environment: dict[str, str], coloured: bool
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = Terminal() if terminal else io.StringIO()
    painted = console.paint("text", "31", stream)
    assert painted == ("\x1b[31mtext\x1b[0m" if coloured else "text")


def test_bold_and_dim_are_for_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    assert console.bold("a") + console.dim("b") == "ab"
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert console.bold("a") == "\x1b[1ma\x1b[0m"
    assert console.dim("b") == "\x1b[2mb\x1b[0m"


def test_the_answer_goes_to_stdout_and_the_rest_to_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console.print_answer(["one", "two"])
    console.print_note("a note")
    console.print_warning("take care")
    console.print_error("it failed")
    assert capsys.readouterr() == ("one\ntwo\n", " a note\n warning: take care\nit failed\n")


def test_a_warning_says_that_it_is_one_without_colour_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    console.print_warning("take care")
    assert capsys.readouterr().err == "\x1b[33m warning: take care\x1b[0m\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain.jpg", "plain.jpg"),
        ("日本 é.jpg", "日本 é.jpg"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("bell\x07", "bell\\x07"),
        ("c1\x9b2J", "c1\\x9b2J"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("line\u2028end", "line\\u2028end"),
        ("no utf-8 \udcff", "no utf-8 \udcff"),
        ("back\\slash", "back\\slash"),
    ],
)
def test_control_characters_are_shown_and_not_obeyed(text: str, shown: str) -> None:
    assert console.printable(text) == shown


def test_a_name_in_a_note_or_a_warning_cannot_command_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console.print_note("skipped cat/\x1b[2J.jpg")
    console.print_warning("skipped cat/\x1b[2J.jpg")
    assert "\x1b" not in capsys.readouterr().err


def test_a_name_in_an_error_cannot_command_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console.print_error("dlcli.yaml:1:1 \x1b[2J is no setting.\n1 fault.")
    shown = capsys.readouterr().err
    assert "\x1b" not in shown
    assert shown.endswith(" is no setting.\n1 fault.\n")


def test_both_streams_carry_any_path(monkeypatch: pytest.MonkeyPatch) -> None:
    content = [io.BytesIO(), io.BytesIO()]
    streams = [io.TextIOWrapper(stream, "ascii") for stream in content]
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    console.use_utf8()
    console.print_answer(["é \udcff"])
    console.print_note("é \udcff")
    for stream in streams:
        stream.flush()
    assert [stream.getvalue() for stream in content] == [b"\xc3\xa9 \xff\n", b" \xc3\xa9 \xff\n"]


# --- stderr beside descriptor 2 ---


def run(program: str, shell: str = "", **options: object) -> subprocess.CompletedProcess[str]:
    """A process that has prepared its streams; `shell` redirects them."""
    start = "import os, subprocess, sys\nfrom dlcli.ui import console\nconsole.use_utf8()\n"
    command = [sys.executable, "-c", start + program]
    if shell:
        command = ["sh", "-c", f'exec "$@" {shell}', "sh", *command]
    how = {"capture_output": True, "text": True, "timeout": 60, **options}
    return subprocess.run(command, check=False, **how)  # type: ignore[call-overload,no-any-return]


needs_shell = pytest.mark.skipif(os.name != "posix", reason="no sh here")


def test_what_python_says_is_heard_while_descriptor_2_is_silent() -> None:
    done = run(
        """
from dlcli.processor import silenced_stderr
os.write(2, b"a library before\\n")
console.print_warning("before")
with silenced_stderr():
    os.write(2, b"a library inside\\n")
    console.print_warning("inside")
    print("by hand", file=sys.stderr)
os.write(2, b"a library after\\n")
raise SystemExit("the end")
""",
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "a library before",
        " warning: before",
        " warning: inside",
        "by hand",
        "a library after",
        "the end",
    ]


def test_a_child_inherits_the_true_stderr() -> None:
    child = "import os; os.write(2, b'from the child')"
    assert run(f"subprocess.run([sys.executable, '-c', {child!r}])").stderr == "from the child"


def test_the_streams_may_be_prepared_twice() -> None:
    done = run("before = sys.stderr\nconsole.use_utf8()\nprint(before is sys.stderr)")
    assert (done.stdout, done.stderr) == ("True\n", "")


def test_a_traceback_is_heard() -> None:
    done = run("raise ValueError('a bug')")
    assert done.returncode == 1
    assert done.stderr.endswith("ValueError: a bug\n")


@needs_shell
@pytest.mark.parametrize("shell", ["2>&-", "2>&- <&-", "2>/dev/null"])
def test_without_stderr_the_answer_is_given(shell: str, tmp_path: Path) -> None:
    """And what a library says goes into no file that was opened later."""
    path = tmp_path / "file"
    done = run(
        f"""
file = open({str(path)!r}, "w")
console.print_warning("unheard")
os.write(2, b"a library")
console.print_answer([str(file.fileno() > 2)])
""",
        shell,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
    assert path.read_text() == ""


def test_a_reader_of_stderr_who_left_does_not_end_the_work() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = run(
        """
console.print_warning("unheard")
console.print_warning("unheard")
console.print_answer(["the answer"])
""",
        capture_output=False,
        stdout=subprocess.PIPE,
        stderr=writer,
    )
    os.close(writer)
    assert done.stdout == "the answer\n"


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals to open here")
def test_a_terminal_stays_one() -> None:
    controller, terminal = os.openpty()
    done = run(
        "print(sys.stderr.isatty(), console.is_terminal(sys.stderr), sys.__stderr__.isatty())",
        capture_output=False,
        stdout=subprocess.PIPE,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(terminal)
    os.close(controller)
    assert done.stdout == "True True True\n"
