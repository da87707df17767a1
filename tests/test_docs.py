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
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import typer.main
from rich.text import Text
from ruamel.yaml import YAML

from dlcli import __version__
from dlcli.cli import app
from dlcli.cluster.launch import LaunchOptions, find_launch
from tests.benchmarks.__main__ import NAMES
from tests.conftest import ROOT, Command
from tests.make_readme_svg import PICTURE, screen_lines, terminal_output

README = ROOT / "README.md"
OPENING, CLOSING = "<!-- options:", "<!-- /options -->"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEREDOC = re.compile(r"<<'(\w+)'\n.*?^\1$", re.MULTILINE | re.DOTALL)
SHELL_WORDS = {"|", "||", "&&", ";", ">", ">>", "&"}
MAY_DIFFER = (
    " device:",
    " efficientnet-lite0 is",
    " Most confused",
    " Val, which",
    " warning: val",
)
ANIMALS = re.compile(r"\b(cat|dog|elephant|lion|tiger)\b")


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
    first, second, *_ = shell_blocks()
    for body in (first, second):
        assert len(body.splitlines()) <= 5
        assert "python3 -m venv" in body
        assert "pip install" in body
    assert "dlcli train sample_data/animals" in first
    assert "pytest" in second


def shown_outputs() -> list[str]:
    """Lines that README says a command prints: blocks of the language `text`."""
    blocks = [body for language, body in BLOCK.findall(README.read_text()) if language == "text"]
    lines = [line for body in blocks for line in body.splitlines()]
    return [line for line in lines if line.strip() not in ("", "...")]


def skeleton(text: str) -> str:
    """What stays the same from machine to machine: words, without numbers, bars and the names of
    classes, one of which may be taken for another."""
    text = re.sub(r"\d+(\.\d+)?(e-\d+)?( (s|min)\b)?", "#", " ".join(text.split()))
    return re.sub(r"█+", "█", ANIMALS.sub("ANIMAL", text))


def make_programs(folder: Path) -> str:
    """The PATH on which `dlcli` is the one of these tests."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "dlcli").write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m dlcli "$@"\n'
    )
    (programs / "dlcli").chmod(0o755)
    return f"{programs}:{os.environ['PATH']}"


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals to open here")
def test_readme_commands_run_and_print_what_it_shows(tmp_path: Path) -> None:
    """Every shell block but the tests' own, in order, in one folder and on a terminal; set-up lines
    are CI's part."""
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data")
    lines = [
        line.replace(".venv/bin/dlcli", "dlcli")
        for block in shell_blocks()
        for line in block.splitlines()
        if "python3 -m venv" not in line and ".venv-dev" not in line
    ]
    assert len(lines) >= 10
    code, sent = terminal_output(
        ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
        tmp_path,
        PATH=make_programs(tmp_path),
    )
    printed = [Text.from_ansi(line).plain for line in screen_lines(sent)]
    assert code == 0, "\n".join(printed[-40:])
    assert (tmp_path / "answers.tsv").read_text().count("\n") == 30
    assert (tmp_path / "animals-litert" / "model.tflite").exists()
    shown = shown_outputs()
    assert len(shown) >= 30
    bones = {skeleton(line) for line in printed}
    assert [line for line in shown if skeleton(line) not in bones] == []


def workflow() -> dict[str, Any]:
    """The workflow for CI that README gives."""
    (body,) = [body for language, body in BLOCK.findall(README.read_text()) if "jobs:" in body]
    return dict(YAML(typ="safe").load(body))


def workflow_steps() -> list[dict[str, Any]]:
    return [step for job in workflow()["jobs"].values() for step in job["steps"]]


def test_readme_workflow_trains_gates_exports_and_keeps_the_report(tmp_path: Path) -> None:
    """Its steps are run as they stand, but for those of GitHub and pip."""
    assert set(workflow()) == {"name", "on", "jobs"}
    steps = workflow_steps()
    assert all(("uses" in step) != ("run" in step) for step in steps)
    shutil.copytree(ROOT / "sample_data" / "animals", tmp_path / "pictures")
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "pip").symlink_to(shutil.which("true") or "")
    script = "\n".join(step["run"] for step in steps if "run" in step)
    summary = tmp_path / "github-summary.md"
    done = subprocess.run(
        ["bash", "-euxo", "pipefail", "-c", script],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": f"{tmp_path / 'pip'}:{make_programs(tmp_path)}",
            "PYTHONPATH": str(ROOT),
            "GITHUB_STEP_SUMMARY": str(summary),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "recall" in summary.read_text()
    uploads = {
        step["with"]["name"]: step["with"]["path"].split()
        for step in steps
        if step.get("uses", "").startswith("actions/upload-artifact@")
    }
    assert "report.html" in uploads["report"]
    for path in (*uploads["report"], *uploads["model"]):
        assert (tmp_path / path).exists(), path


def test_readme_job_of_kubernetes_says_all_that_a_process_must_know() -> None:
    (body,) = [body for _, body in BLOCK.findall(README.read_text()) if "kind: Job" in body]
    service, job = YAML(typ="safe").load_all(body)
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    assert service["metadata"]["name"] == pod["subdomain"]
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    (container,) = pod["containers"]
    program, *words = container["command"]
    assert program == "dlcli"
    parse(words)
    options = dict(pairwise(words))
    num_processes = int(options["--num-processes"])
    assert num_processes == spec["completions"] == spec["parallelism"]
    assert options["--hosts"].startswith(f"{job['metadata']['name']}-0.{pod['subdomain']}:")
    typed = LaunchOptions(options["--hosts"], num_processes)
    launch = find_launch(typed, {"JOB_COMPLETION_INDEX": "3"})
    assert launch is not None
    assert (launch.process_id, launch.num_processes) == (3, 4)


def dlcli_lines(script: str) -> Iterator[list[str]]:
    """The words behind each `dlcli` of a script or of what a terminal shows (`Ship it:  dlcli`)."""
    script = re.sub(r"\\\n\s*", " ", HEREDOC.sub("", script))
    for line in script.splitlines():
        found = re.match(
            r"(?:.*[|&;] *|\$ | ?[A-Z][\w ]*: +|(?:\w+=\S+ )*)(?:\S+/)?dlcli (.*)", line
        )
        if found is None:
            continue
        lexer = shlex.shlex(found[1], posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in lexer:
            if word in SHELL_WORDS:
                break
            words.append(word)
        yield words


def parse(words: list[str]) -> None:
    """As the app would, without running anything.

    Raises:
        LookupError: if there is no such command.
        ClickException: if there is no such option or choice.
    """
    group: Any = typer.main.get_command(app)
    name, *rest = words
    if name not in group.commands:
        raise LookupError(f"no such command: {name}")
    group.commands[name].make_context(name, rest).close()


def test_every_command_in_a_block_of_the_readme_is_one() -> None:
    blocks = [body for _, body in BLOCK.findall(README.read_text())]
    scripts = [*blocks, *(step["run"] for step in workflow_steps() if "run" in step)]
    lines = [words for script in scripts for words in dlcli_lines(script)]
    assert len(lines) >= 45
    assert {words[0] for words in lines} >= {"train", "predict", "evaluate", "export", "check"}
    for words in lines:
        parse(words)


@pytest.mark.parametrize(
    "line",
    [
        "dlcli trian animals",
        "dlcli train animals --efort best",
        "X=1 dlcli train animals --effort most",
        "cat list | dlcli predict - --top three",
        " Next:  dlcli export --fromat onnx",
        "dlcli evaluate --min \\\n  a=1 --mox b=2",
    ],
)
def test_a_command_that_is_none_is_found(line: str) -> None:
    (words,) = dlcli_lines(line)
    with pytest.raises(Exception, match=r"(?i)no such (command|option)|not one of|not a valid"):
        parse(words)


def test_every_option_and_command_named_in_the_readme_is_one() -> None:
    group: Any = typer.main.get_command(app)
    options = {
        name
        for command in (group, *group.commands.values())
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    } | {"--help"}
    prose = BLOCK.sub("", README.read_text().partition(OPENING)[0])
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
    named = [word for span in spans if span[0] == "-" for word in span.split() if word[0] == "-"]
    commands = [span.split()[1:] for span in spans if span.startswith("dlcli ")]
    for name, *rest in commands:
        assert name in group.commands or name in (*options, "COMMAND"), name
        named += [word for word in rest if word.startswith("-")]
    assert len(commands) >= 8
    assert len(named) >= 40
    assert [word for word in named if word.partition("=")[0] not in {*options, "-"}] == []


def test_links_of_the_readme_lead_somewhere() -> None:
    text = README.read_text()
    headings = re.findall(r"^#+ (.*)$", BLOCK.sub("", text), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(([^)\s]+)\)", BLOCK.sub("", text))
    assert len(links) >= 15
    for link in links:
        if link.startswith("#"):
            assert link[1:] in anchors, link
        elif "://" not in link:
            assert (ROOT / link).is_file(), link


def test_readme_opens_with_a_picture_of_what_train_prints(
    trained_run: Path, animals: Path, dlcli: Command
) -> None:
    name = PICTURE.relative_to(ROOT).as_posix()
    assert re.match(rf"# dlcli\n\n!\[[^]]+\]\({name}\)\n", README.read_text())
    svg = PICTURE.read_text(encoding="utf-8")
    assert len(svg) < 100_000
    assert (
        re.findall(r"url\((?!#)|href|/tmp|/home|/root|https?:(?!//www.w3.org/2000/svg)", svg) == []
    )
    pieces = ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")  # noqa: S314
    seen = skeleton(" ".join("".join(piece.itertext()) for piece in pieces))
    assert "$ dlcli train ./animals" in seen
    done = dlcli("train", animals, "--runs-dir", "runs", cwd=trained_run.parent.parent)
    assert done.returncode == 0, done.stderr
    printed = [*done.stderr.splitlines(), *done.stdout.splitlines()]
    lines = [skeleton(line) for line in printed if not line.startswith(MAY_DIFFER)]
    assert len(lines) >= 25
    assert [line for line in lines if line not in seen] == []


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


def test_every_number_measured_names_the_benchmark_that_repeats_it() -> None:
    text = README.read_text().partition("## Measured")[2]
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 15
    for *_, name in rows:
        assert name.strip(" `|") in NAMES


def test_changelog_speaks_of_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert "## Unreleased" in changelog or f"## {__version__}" in changelog


def test_ci_takes_the_commands_from_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert "readme_block 1" in script
    assert "readme_block 2" in script


if __name__ == "__main__":
    README.write_text(readme_with_tables())
