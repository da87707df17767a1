"""What tells how good runs are: the options of `evaluate` that judge one, and `compare`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dlcli.cli.options import AsJson, Quiet, RunsDir, Threads
from dlcli.endings import sentences
from dlcli.processor import limit_threads
from dlcli.ui import console


class SplitName(StrEnum):
    """The parts of a data set that numbers come from."""

    VAL = "val"
    TEST = "test"


Minimum = Annotated[
    list[str] | None,
    typer.Option(
        "--min",
        help="A gate, e.g. accuracy=0.95, recall:cat=90%, accuracy=0.9@low for the low end of its "
        "interval; may be repeated. Exit code 6 if one is not met.",
        metavar="METRIC=VALUE",
    ),
]
Maximum = Annotated[
    list[str] | None,
    typer.Option(
        "--max",
        help="A gate from above, e.g. ece=0.05, log_loss=0.4; may be repeated.",
        metavar="METRIC=VALUE",
    ),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        "--baseline", help="Another run to compare with, on the same pictures.", metavar="RUN"
    ),
]
MaxDrop = Annotated[
    str | None,
    typer.Option(
        "--max-drop",
        help="A gate: how much accuracy may be lost against the baseline, e.g. 0.5% or 0.005.",
        metavar="VALUE",
    ),
]
Coverage = Annotated[
    float | None,
    typer.Option(
        help="Check the sets of `predict --coverage`: how often they hold the true class.",
        metavar="SHARE",
    ),
]
Junit = Annotated[
    Path | None,
    typer.Option("--junit", help="Write the gates as JUnit XML.", metavar="FILE.xml"),
]
Markdown = Annotated[
    Path | None,
    typer.Option(
        "--markdown",
        help="Write the report as Markdown, for the summary of a pull request.",
        metavar="FILE.md",
    ),
]


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Two runs or more; the others are compared with the first.", metavar="RUN RUN..."
        ),
    ],
    runs_dir: RunsDir = None,
    on: Annotated[
        Path | None,
        typer.Option(
            "--on",
            help="A labelled folder or manifest [default: the test pictures that all runs have in "
            "common].",
            metavar="TARGET",
        ),
    ] = None,
    split: Annotated[
        SplitName | None, typer.Option(help="Which part [default: test, else val].")
    ] = None,
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Show runs side by side on the same pictures, and whether a difference is real.

    McNemar's exact test says how often chance alone would part two equally good runs as far.

    \b
    Example:
        dlcli compare animals-1 animals-2
        dlcli compare animals-1 animals-2 animals-3 --on ./field-photos
    """
    from dlcli.commands import compare as command
    from dlcli.runs.run import default_runs_folder
    from dlcli.ui import compare_lines, formats
    from dlcli.ui.progress import make_reporter

    with sentences():
        limit_threads(threads)
        options = command.CompareOptions(
            tuple(runs), runs_dir or default_runs_folder(), on, split.value if split else None
        )
        with make_reporter(quiet=quiet) as reporter:
            result = command.run(options, reporter)
        if as_json:
            console.print_answer([formats.dump_json(compare_lines.compare_document(result))])
        else:
            console.print_answer(compare_lines.compare_lines(result))
