"""The two streams, and what may go through them."""

from __future__ import annotations

import io
import sys

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
