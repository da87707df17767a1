"""The command that says what is in pictures."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from dlcli.cli.options import Engine, EngineName, Quiet, RunName, RunsDir
from dlcli.endings import sentences
from dlcli.errors import ExitCode, UsageError
from dlcli.processor import MOST_THREADS, limit_threads
from dlcli.ui import console


class PredictFormat(StrEnum):
    """How predictions are written."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"


def predict(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Pictures, folders, globs, .csv files with a column path, or - for a list of "
            "paths on stdin.",
            metavar="INPUT...",
        ),
    ] = None,
    run: RunName = None,
    runs_dir: RunsDir = None,
    top: Annotated[int, typer.Option(min=1, help="How many classes to name.", metavar="K")] = 3,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Give the probability of every class.")
    ] = False,
    threshold: Annotated[
        str,
        typer.Option(
            help="Call less probable answers unknown as well; auto asks only whether a picture is "
            "like those of the training.",
            metavar="auto|P",
        ),
    ] = "auto",
    max_error: Annotated[
        float | None,
        typer.Option(
            help="Find the threshold with which at most this share of the answers given on val is "
            "wrong.",
            metavar="SHARE",
        ),
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(
            help="Also give a set of classes that holds the true one so often, e.g. 0.95.",
            metavar="SHARE",
        ),
    ] = None,
    form: Annotated[
        PredictFormat | None,
        typer.Option("--format", help="How to write [default: table on a terminal, else tsv]."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write into this file, whole.", metavar="FILE"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file of --output.")] = False,
    copy_to: Annotated[
        Path | None,
        typer.Option(help="Copy pictures into a folder for each class there.", metavar="DIR"),
    ] = None,
    link_to: Annotated[
        Path | None,
        typer.Option(help="The same with links to the pictures.", metavar="DIR"),
    ] = None,
    nul: Annotated[
        bool, typer.Option("-0", "--null", help="Paths on stdin end with NUL, not newline.")
    ] = False,
    stdin_image: Annotated[
        str | None,
        typer.Option(help="A picture comes on stdin: call it NAME.", metavar="NAME"),
    ] = None,
    recursive: Annotated[
        bool,
        typer.Option(
            "--recursive/--no-recursive", help="Whether a folder stands for all below it."
        ),
    ] = True,
    engine: Engine = EngineName.AUTO,
    batch_size: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="How many pictures are answered together at most where they come faster than "
            "that [default: 32].",
            metavar="N",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "--threads",
            min=1,
            max=MOST_THREADS,
            help="How many pictures are read and run at a time, a thread each [default: "
            "$DLCLI_THREADS, else the processors this process may use, a container's CPU quota "
            "included].",
            metavar="N",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document a line; the same as --format jsonl.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Say what is in pictures, a record for each.

    Records come in the order of the inputs, errors included.

    tsv columns: path, label, probability, typicality, unknown, error; then set with --coverage, and
    the classes with --probabilities. csv has them as a header.

    \b
    Example:
        dlcli predict cat.jpg
        dlcli predict photos/ --format csv -o answers.csv
        dlcli predict photos/ --max-error 0.05 --copy-to sorted
        find . -name '*.jpg' -print0 | dlcli predict - -0 --format jsonl
    """
    from dlcli.commands import predict as command
    from dlcli.commands.answer_rules import Asked
    from dlcli.data.inputs import STDIN, expand_inputs, require_lists
    from dlcli.runs.run import default_runs_folder
    from dlcli.ui.answer_rows import rows_to
    from dlcli.ui.prediction_rows import PredictionRows
    from dlcli.ui.progress import make_reporter

    with sentences():
        limit_threads(threads)
        given = inputs or []
        if not given and stdin_image is None:
            raise UsageError("there is nothing to look at.", fix="Name pictures or folders.")
        if stdin_image is not None and STDIN in given:
            raise UsageError(
                "stdin cannot be a list and a picture.", where="--stdin-image", fix="Give one."
            )
        if as_json and form not in (None, PredictFormat.JSONL):
            raise UsageError(f"contradicts --format {form.value}.", where="--json", fix="Give one.")
        require_lists(given)
        stdin = console.stdin()
        on_terminal = output is None and console.is_terminal(sys.stdout)
        chosen = form or _default_format(as_json=as_json, on_terminal=on_terminal)
        shows_all = probabilities and chosen is PredictFormat.TABLE
        options = command.PredictOptions(
            expand_inputs(given, stdin, nul_separated=nul, recursive=recursive),
            runs_dir or default_runs_folder(),
            run,
            Asked(threshold, max_error, coverage, None if shows_all else top, probabilities),
            command.folders_of(given),
            None if stdin_image is None else (stdin_image, _picture(stdin)),
            command.sorting_into(copy_to, link_to),
            output,
            force,
            engine.value,
            batch_size,
        )
        # A bar would run through rows that go to the same terminal.
        with make_reporter(quiet=quiet, bars=not on_terminal) as reporter:
            found = command.run(options, reporter)
            rows = PredictionRows(
                chosen.value, found.class_names, coverage is not None, probabilities
            )
            failed, total = 0, 0
            with rows_to(output) as write:
                if (header := rows.header()) is not None:
                    write(header)
                for record in found.records:
                    total, failed = total + 1, failed + (record.error is not None)
                    write(rows.line(record))
                if not total:
                    where = " ".join(given)
                    raise UsageError("there are no pictures.", where=where, fix="Name some.")
        if failed:
            console.print_error(f"{failed} of {total} inputs could not be read; see their records.")
            raise typer.Exit(ExitCode.PARTIAL)


def _default_format(*, as_json: bool, on_terminal: bool) -> PredictFormat:
    if as_json:
        return PredictFormat.JSONL
    return PredictFormat.TABLE if on_terminal else PredictFormat.TSV


def _picture(stdin: BinaryIO) -> bytes:
    """All that comes, but no more than a file may hold: then it is truncated, and said to be."""
    from dlcli.data.pixels import MAX_FILE_BYTES

    return stdin.read(MAX_FILE_BYTES)
