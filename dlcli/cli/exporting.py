"""The commands that write models for other programs, and time them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from dlcli.cli.options import AsJson, Quiet, RunName, RunsDir, Threads
from dlcli.endings import sentences
from dlcli.errors import ExitCode, UsageError
from dlcli.processor import limit_threads
from dlcli.ui import console


class ExportFormat(StrEnum):
    """What a model is exported as."""

    SAVED_MODEL = "saved_model"
    LITERT = "litert"
    ONNX = "onnx"
    KERAS = "keras"
    ALL = "all"


class Quantize(StrEnum):
    """What a quantised model counts in."""

    FLOAT16 = "float16"
    INT8 = "int8"


def export(
    run: RunName = None,
    runs_dir: RunsDir = None,
    form: Annotated[
        ExportFormat,
        typer.Option("--format", help="What to write; all puts every format into one folder."),
    ] = ExportFormat.SAVED_MODEL,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="The folder to write [default: ./RUN-FORMAT].", metavar="DIR"
        ),
    ] = None,
    quantize: Annotated[
        Quantize | None,
        typer.Option(
            help="Store a LiteRT model's weights as float16, or compute in int8, calibrated on the "
            "run's training pictures."
        ),
    ] = None,
    max_drop: Annotated[
        str | None,
        typer.Option(
            "--max-drop",
            metavar="SHARE",
            help="How much of the accuracy --quantize may cost [default: 1%].",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an earlier export.")] = False,
    verify: Annotated[
        Path | None,
        typer.Option(
            help="Write nothing: check an exported folder instead, its files and its answers.",
            metavar="DIR",
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write a model for other programs, and check it.

    It is asked in a fresh process and must answer as the run does.

    \b
    Example:
        dlcli export --format saved_model -o served/animals
        dlcli export --format all
        dlcli export --verify served/animals
    """
    from dlcli.commands import export as command
    from dlcli.commands import verify_export
    from dlcli.runs.run import default_runs_folder
    from dlcli.ui import formats, tables
    from dlcli.ui.progress import make_reporter

    with sentences():
        runs_folder = runs_dir or default_runs_folder()
        if verify is not None and (run or output or force or quantize or max_drop):
            raise UsageError(
                "--verify DIR checks what is there: it takes no --run, -o, --force, --quantize or "
                "--max-drop."
            )
        with make_reporter(quiet=quiet) as reporter:
            if verify is not None:
                result = verify_export.run(verify, runs_folder, reporter)
            else:
                kind = None if quantize is None else quantize.value
                options = command.ExportOptions(
                    runs_folder, run, form.value, output, force, kind, max_drop
                )
                result = command.run(options, reporter)
        if as_json:
            console.print_answer([formats.dump_json(formats.export_document(result))])
        else:
            console.print_answer(tables.export_lines(result))
        if result.left_out:
            raise typer.Exit(ExitCode.PARTIAL)


def benchmark(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN|FOLDER...",
            help="A run's folder or name (every format is written first, to a place that is gone "
            "afterwards), or an exported folder.",
        ),
    ],
    runs_dir: RunsDir = None,
    seconds: Annotated[
        float,
        typer.Option(min=0.1, help="How long each is timed, once alone and once in batches."),
    ] = 3.0,
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Time a model in every format on this machine.

    Pictures are read beforehand: what is timed is the answering, by the format's own runtime in a
    process of its own.

    \b
    Example:
        dlcli benchmark runs/animals-1
        dlcli benchmark served/animals small/animals --json
    """
    from dlcli.commands import benchmark as command
    from dlcli.runs.run import default_runs_folder
    from dlcli.ui import benchmark_lines, formats
    from dlcli.ui.progress import make_reporter

    with sentences():
        limit_threads(threads)
        options = command.BenchmarkOptions(
            tuple(targets), runs_dir or default_runs_folder(), seconds
        )
        with make_reporter(quiet=quiet) as reporter:
            result = command.run(options, reporter)
        if as_json:
            console.print_answer([formats.dump_json(formats.benchmark_document(result))])
        else:
            console.print_answer(benchmark_lines.benchmark_lines(result))
