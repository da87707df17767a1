"""The command that shows why a picture is taken for what it is taken for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dlcli.cli.options import AsJson, Quiet, RunName, RunsDir, Threads
from dlcli.endings import sentences
from dlcli.errors import ExitCode
from dlcli.processor import limit_threads
from dlcli.ui import console


def explain(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Pictures, folders (with all below), globs, or - for a list of paths on stdin.",
            metavar="IMAGE...",
        ),
    ],
    run: RunName = None,
    runs_dir: RunsDir = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="The folder for the maps [default: ./RUN-explained].",
            metavar="DIR",
        ),
    ] = None,
    class_name: Annotated[
        str | None,
        typer.Option(
            "--class",
            help="Ask what speaks for this class [default: the one each picture is taken for].",
            metavar="NAME",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite earlier maps.")] = False,
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show where in pictures a run sees a class, and which training pictures are most like them.

    For each picture a PNG is written with a heat map beside it (Grad-CAM): bright is what speaks
    for the class.

    \b
    Example:
        dlcli explain cat.jpg
        dlcli explain cat.jpg --class dog -o maps
    """
    from dlcli.commands import explain as command
    from dlcli.data.inputs import expand_inputs
    from dlcli.runs.run import default_runs_folder
    from dlcli.ui import explain_lines, formats
    from dlcli.ui.progress import make_reporter

    with sentences():
        limit_threads(threads)
        options = command.ExplainOptions(
            expand_inputs(inputs, console.stdin()),
            runs_dir or default_runs_folder(),
            run,
            output,
            class_name,
            force,
        )
        # A bar would run through lines that go to the same terminal.
        shows_bars = as_json or not console.is_terminal(sys.stdout)
        with make_reporter(quiet=quiet, bars=shows_bars) as reporter:
            result = command.run(options, reporter)
            images = []
            for image in result.images:
                images.append(image)
                if not as_json:
                    console.print_answer(explain_lines.explain_lines(image))
                    sys.stdout.flush()
        if as_json:
            document = explain_lines.explain_document(result.run, images)
            console.print_answer([formats.dump_json(document)])
        failed = sum(image.error is not None for image in images)
        if failed:
            console.print_error(
                f"{failed} of {len(images)} pictures could not be read; see their errors."
            )
            raise typer.Exit(ExitCode.PARTIAL)
