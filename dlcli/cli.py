"""The command line: options and help; parse, call, render, exit code."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO, NoReturn

import typer

from dlcli import __version__
from dlcli.errors import DlcliError, ExitCode, ResourceError, UsageError, from_os_error
from dlcli.ui import console

app = typer.Typer(
    name="dlcli",
    help="From a folder of labelled pictures to a classifier you can trust and ship.",
    epilog="Start with: dlcli train FOLDER, where FOLDER holds one sub-folder of pictures a class.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Effort(StrEnum):
    """How much time a training may take."""

    QUICK = "quick"
    BALANCED = "balanced"
    BEST = "best"


class SplitName(StrEnum):
    """The parts of a data set that numbers come from."""

    VAL = "val"
    TEST = "test"


class PredictFormat(StrEnum):
    """How predictions are written."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"


class ExportFormat(StrEnum):
    """What a model is exported as."""

    SAVED_MODEL = "saved_model"
    LITERT = "litert"
    KERAS = "keras"


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Say nothing on stderr but warnings.")]
RunsDir = Annotated[
    Path | None,
    typer.Option(
        "--runs-dir", help="Where runs are kept [default: $DLCLI_RUNS, else ./runs].", metavar="DIR"
    ),
]
RunName = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="RUN",
        help="A run's folder or name, an exported folder, or imagenet for the built-in classifier "
        "[default: $DLCLI_RUN, else the latest finished run].",
    ),
]


def main() -> NoReturn:
    """The entry point: streams in UTF-8, Ctrl-C as exit code 130.

    Ends without Python's teardown of modules and libraries, a tenth of a short command's time:
    by then every file is closed, and both streams are flushed here.
    """
    console.use_utf8()
    code: int | str | None = ExitCode.DONE
    try:
        app(prog_name="dlcli")
    except SystemExit as ending:
        code = ending.code
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except BaseException:  # noqa: BLE001 - a bug shows its traceback, as it would without this
        sys.excepthook(*sys.exc_info())
        code = ExitCode.FAULT
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    status = code if isinstance(code, int) else ExitCode.FAULT if code else ExitCode.DONE
    if "tensorflow" in sys.modules:  # it leaves temporary files to be removed on exit
        sys.exit(status)
    os._exit(status)


def _print_version(wanted: bool) -> None:
    if wanted:
        console.print_answer([f"dlcli {__version__}"])
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


@app.command()
def init(
    folder: Annotated[
        Path | None, typer.Argument(help="The folder of labelled pictures to fit the spec to.")
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The file to write.", metavar="FILE")
    ] = Path("dlcli.yaml"),
    template: Annotated[
        str, typer.Option(help="Which template; see --list.", metavar="NAME")
    ] = "transfer",
    list_: Annotated[bool, typer.Option("--list", help="List the templates.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write a commented spec, fitted to a folder of pictures.

    \b
    Example:
        dlcli init ./animals
        dlcli train dlcli.yaml
    """
    from dlcli.commands import init as command
    from dlcli.ui import formats
    from dlcli.ui.progress import make_reporter

    with _sentences():
        if list_:
            templates = command.list_templates()
            if as_json:
                console.print_answer([formats.dump_json(formats.templates_document(templates))])
            else:
                console.print_answer(f" {name:<12} {about}" for name, about in templates.items())
            return
        options = command.InitOptions(folder, output, template, force)
        with make_reporter(quiet=quiet) as reporter:
            result = command.run(options, reporter)
        if as_json:
            console.print_answer([formats.dump_json(formats.init_document(result))])
        else:
            console.print_answer([f" {result.output}", "", f" Next:  dlcli train {result.output}"])


@app.command()
def train(
    target: Annotated[
        Path | None,
        typer.Argument(help="A folder of class folders, or a spec (.yaml).", metavar="[TARGET]"),
    ] = None,
    spec: Annotated[
        Path | None, typer.Option("--spec", help="A spec for the folder.", metavar="FILE")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change one setting of the spec.", metavar="KEY=VALUE"),
    ] = None,
    runs_dir: RunsDir = None,
    name: Annotated[
        str | None, typer.Option("--name", help="The run's name.", metavar="NAME")
    ] = None,
    effort: Annotated[Effort | None, typer.Option(help="How long it may take.")] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with exit code 4 if a picture is unreadable.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a classifier on a folder of labelled pictures.

    \b
    Example:
        dlcli train ./animals
        dlcli train dlcli.yaml --set data.image_size=192 --name small
    """
    from dlcli.commands import train as command
    from dlcli.runs.run import default_runs_folder
    from dlcli.ui import formats, tables
    from dlcli.ui.progress import make_reporter

    with _sentences():
        overrides = [*(set_ or []), *_effort_override(effort)]
        options = command.TrainOptions(
            target=target,
            runs_folder=runs_dir or default_runs_folder(),
            spec=spec,
            overrides=tuple(overrides),
            name=name,
            strict=strict,
            command=tuple(sys.argv),
        )
        with make_reporter(quiet=quiet) as reporter:
            result = command.run(options, reporter)
        if as_json:
            console.print_answer([formats.dump_json(formats.train_document(result))])
        else:
            console.print_answer(tables.train_lines(result))


@app.command()
def evaluate(
    target: Annotated[
        Path | None,
        typer.Argument(
            help="A labelled folder [default: the run's own test pictures].", metavar="[TARGET]"
        ),
    ] = None,
    run: RunName = None,
    runs_dir: RunsDir = None,
    split: Annotated[
        SplitName | None, typer.Option(help="Which part [default: test, else val].")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Report how good a run is, on pictures it has not seen.

    \b
    Example:
        dlcli evaluate
        dlcli evaluate ./field-photos --run runs/animals-1
    """
    from dlcli.commands import evaluate as command
    from dlcli.runs.run import default_runs_folder
    from dlcli.ui import formats, tables
    from dlcli.ui.progress import make_reporter

    with _sentences():
        options = command.EvaluateOptions(
            target, runs_dir or default_runs_folder(), run, split.value if split else None
        )
        with make_reporter(quiet=quiet) as reporter:
            result = command.run(options, reporter)
        if as_json:
            console.print_answer([formats.dump_json(formats.evaluate_document(result))])
        else:
            console.print_answer(tables.evaluate_lines(result))


@app.command()
def predict(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Pictures, folders (with all below), globs, or - for a list of paths on stdin.",
            metavar="INPUT...",
        ),
    ],
    run: RunName = None,
    runs_dir: RunsDir = None,
    top: Annotated[int, typer.Option(min=1, help="How many classes to name.", metavar="K")] = 3,
    form: Annotated[
        PredictFormat | None,
        typer.Option("--format", help="How to write [default: table on a terminal, else tsv]."),
    ] = None,
    nul: Annotated[
        bool, typer.Option("-0", "--null", help="Paths on stdin end with NUL, not newline.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document a line; the same as --format jsonl.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Say what is in pictures, a record for each.

    Records come in the order of the inputs, errors included.

    tsv columns: path, label, probability, typicality, unknown, error; csv has them as a header.

    \b
    Example:
        dlcli predict cat.jpg
        dlcli predict photos/ --format csv > answers.csv
        find . -name '*.jpg' -print0 | dlcli predict - -0 --format jsonl
    """
    from dlcli.commands import predict as command
    from dlcli.data.inputs import expand_inputs
    from dlcli.runs.run import default_runs_folder
    from dlcli.ui import formats
    from dlcli.ui.progress import make_reporter

    with _sentences():
        if as_json and form not in (None, PredictFormat.JSONL):
            raise UsageError(f"contradicts --format {form.value}.", where="--json", fix="Give one.")
        on_terminal = console.is_terminal(sys.stdout)
        chosen = form or _default_format(as_json=as_json, on_terminal=on_terminal)
        options = command.PredictOptions(
            expand_inputs(inputs, _stdin(), nul_separated=nul),
            runs_dir or default_runs_folder(),
            run,
            top,
        )
        # A bar would run through rows that go to the same terminal.
        with make_reporter(quiet=quiet, bars=not on_terminal) as reporter:
            records = command.run(options, reporter)
            if chosen is PredictFormat.CSV:
                console.print_answer([",".join(formats.COLUMNS)])
            failed, total = 0, 0
            to_line = formats.prediction_formatter(chosen.value)
            for record in records:
                total, failed = total + 1, failed + (record.error is not None)
                console.print_answer([to_line(record)])
                sys.stdout.flush()
        _end_of_predictions(failed, total, inputs)


@app.command()
def export(
    run: RunName = None,
    runs_dir: RunsDir = None,
    form: Annotated[
        ExportFormat, typer.Option("--format", help="What to write.")
    ] = ExportFormat.SAVED_MODEL,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", help="The folder to write [default: ./RUN-FORMAT].", metavar="DIR"
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an earlier export.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Write a model for other programs, and check it.

    It is asked in a fresh process and must answer as the run does.

    \b
    Example:
        dlcli export --format saved_model -o served/animals
    """
    from dlcli.commands import export as command
    from dlcli.runs.run import default_runs_folder
    from dlcli.ui import formats, tables
    from dlcli.ui.progress import make_reporter

    with _sentences():
        options = command.ExportOptions(
            runs_dir or default_runs_folder(), run, form.value, output, force
        )
        with make_reporter(quiet=quiet) as reporter:
            result = command.run(options, reporter)
        if as_json:
            console.print_answer([formats.dump_json(formats.export_document(result))])
        else:
            console.print_answer(tables.export_lines(result))


def _stdin() -> BinaryIO:
    """Standard input as bytes; empty where it was closed before the start."""
    return io.BytesIO() if sys.stdin is None else sys.stdin.buffer


def _effort_override(effort: Effort | None) -> list[str]:
    if effort is None:
        return []
    if effort is not Effort.QUICK:
        raise UsageError(
            f"{effort.value} trains layers of the body, which this version cannot do yet.",
            where="--effort",
            fix="Use --effort quick: a head on the frozen body.",
        )
    return [f"train.effort={effort.value}"]


def _default_format(*, as_json: bool, on_terminal: bool) -> PredictFormat:
    if as_json:
        return PredictFormat.JSONL
    return PredictFormat.TABLE if on_terminal else PredictFormat.TSV


def _end_of_predictions(failed: int, total: int, inputs: list[str]) -> None:
    if not total:
        raise UsageError("there are no pictures.", where=" ".join(inputs), fix="Name some.")
    if failed:
        console.print_error(f"{failed} of {total} inputs could not be read; see their records.")
        raise typer.Exit(ExitCode.PARTIAL)


@contextmanager
def _sentences() -> Iterator[None]:
    """Expected failures become a sentence on stderr and their exit code; bugs keep a traceback."""
    try:
        yield
        sys.stdout.flush()
    except DlcliError as error:
        _end(error)
    except BrokenPipeError:
        _leave_pipe()
        raise typer.Exit(ExitCode.DONE) from None
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        console.print_error("interrupted")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    except EOFError as error:  # Typer would take it for Ctrl-D and hide where it comes from
        raise RuntimeError("an unexpected end of a file") from error
    except MemoryError:
        _end(ResourceError("there is not enough memory.", fix="Close other programs."))
    except OSError as error:
        known = from_os_error(error)
        if known is None:
            raise
        _end(known)


def _end(error: DlcliError) -> None:
    console.print_error(str(error))
    _leave_pipe()
    raise typer.Exit(error.exit_code) from error


def _leave_pipe() -> None:
    """What is still buffered for a closed pipe or a full disk must not fail again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
