"""The documents as tests: README commands run, option tables equal --help, the changelog is kept.

`python -m tests.test_docs` writes the option tables into the README anew.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from dlcli import __version__
from dlcli.cli import app
from tests.conftest import ROOT

README = ROOT / "README.md"
OPENING, CLOSING = "<!-- options:", "<!-- /options -->"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def option_tables() -> str:
    """A heading, the usage line, and a table of arguments and options for each command."""
    group: Any = typer.main.get_command(app)
    return "\n".join(
        "\n".join(_command_lines(name, command)) for name, command in group.commands.items()
    )


def _command_lines(name: str, command: Any) -> Iterator[str]:
    about = command.help.split("\n")[0]
    yield f"### `dlcli {name}`\n\n{about}\n"
    yield "| option | meaning |\n|---|---|"
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            words = parameter.metavar or f"[{parameter.name.upper()}]"
        else:
            flag = ", ".join(parameter.opts)
            words = flag if parameter.is_flag else f"{flag} {_value_of(parameter)}"
        yield f"| `{words}` | {parameter.help} |"
    yield ""


def _value_of(option: Any) -> str:
    choices = getattr(option.type, "choices", None)
    return option.metavar or ("\\|".join(choices) if choices else "VALUE")


def readme_with_tables() -> str:
    """The README with the tables of today."""
    text = README.read_text()
    head, _, rest = text.partition(OPENING)
    note, _, tail = rest.partition("\n")
    _, _, tail = tail.partition(CLOSING)
    return f"{head}{OPENING}{note}\n\n{option_tables()}\n{CLOSING}{tail}"


def shell_blocks() -> list[str]:
    return [body for language, body in BLOCK.findall(README.read_text()) if language == "sh"]


def test_readme_option_tables_are_those_of_the_app() -> None:
    assert README.read_text() == readme_with_tables(), "run: python -m tests.test_docs"


def test_readme_opens_with_two_commands_that_set_themselves_up() -> None:
    first, second, *_ = BLOCK.findall(README.read_text())
    for language, body in (first, second):
        assert language == "sh"
        assert len(body.splitlines()) <= 5
        assert "python3 -m venv" in body
        assert "pip install" in body
    assert "dlcli train sample_data/animals" in first[1]
    assert "pytest" in second[1]


def test_readme_commands_run(tmp_path: Path) -> None:
    """Every shell block but the tests' own, in order, in one folder; set-up lines are CI's part."""
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "dlcli").write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m dlcli "$@"\n'
    )
    (programs / "dlcli").chmod(0o755)
    lines = [
        line.replace(".venv/bin/dlcli", "dlcli")
        for block in shell_blocks()
        for line in block.splitlines()
        if "python3 -m venv" not in line and ".venv-dev" not in line
    ]
    assert len(lines) >= 10
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "answers.tsv").read_text().count("\n") == 30
    assert (tmp_path / "animals-litert" / "model.tflite").exists()


def test_readme_python_runs(trained_run: Path, tmp_path: Path) -> None:
    (script,) = [
        body for language, body in BLOCK.findall(README.read_text()) if language == "python"
    ]
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "animals-1").symlink_to(trained_run)
    for name in ("cat.jpg", "a.jpg"):
        shutil.copy(ROOT / "sample_data" / "cat.jpg", tmp_path / name)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    assert first.split()[0] == second.removeprefix("a.jpg ")
    assert third == "b.jpg no such file"


def test_readme_exit_codes_are_those_of_the_code() -> None:
    from dlcli.errors import ExitCode

    listed = re.findall(r"^\| (\d+) \|", README.read_text(), re.MULTILINE)
    assert [int(code) for code in listed] == [code.value for code in ExitCode]


def test_changelog_speaks_of_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert "## Unreleased" in changelog or f"## {__version__}" in changelog


def test_ci_takes_the_commands_from_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert "readme_block 1" in script
    assert "readme_block 2" in script


if __name__ == "__main__":
    README.write_text(readme_with_tables())
