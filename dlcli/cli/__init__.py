"""The command line: options and help; parse, call, render, exit code."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from dlcli import __version__
from dlcli.cli import explaining, exporting, judging, keeping, predicting
from dlcli.cli.options import AsJson, Engine, EngineName, Quiet, RunName, RunsDir, Threads
from dlcli.endings import end_now, run_app, sentences
from dlcli.processor import limit_threads
from dlcli.ui import console

if TYPE_CHECKING:
    from dlcli.commands.evaluate import EvaluateResult

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


class DeviceName(StrEnum):
    """What a training runs on."""

    AUTO = "auto"
    CPU = "cpu"
    GPU = "gpu"


class BackendName(StrEnum):
    """What Keras computes with."""

    TENSORFLOW = "tensorflow"
    JAX = "jax"
    TORCH = "torch"


def main() -> NoReturn:
    """The entry point."""
    run_app(app)


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
        str | None,
        typer.Option(
            help="Which template; see --list [default: what the pictures ask for].", metavar="NAME"
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the templates.")] = False,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the spec's JSON Schema, for editors.")
    ] = False,
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

    with sentences():
        if list_:
            templates = command.list_templates()
            if as_json:
                console.print_answer([formats.dump_json(formats.templates_document(templates))])
            else:
                console.print_answer(f" {name:<12} {about}" for name, about in templates.items())
            return
        if schema:
            from dlcli.spec.json_schema import spec_json_schema

            console.print_answer([formats.dump_json(spec_json_schema())])
            return
        options = command.InitOptions(folder, output, template, force)
        with make_reporter(quiet=quiet) as reporter:
            result = command.run(options, reporter)
        if as_json:
            console.print_answer([formats.dump_json(formats.init_document(result))])
        else:
            console.print_answer([f" {result.output}", "", f" Next:  dlcli train {result.output}"])


@app.command()
def check(
    target: Annotated[
        Path,
        typer.Argument(
            help="A folder of class folders, a manifest (.csv) or a spec (.yaml).", metavar="TARGET"
        ),
    ],
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-on",
            help="End with exit code 6 if there are findings of these kinds, e.g. corrupt,leak.",
            metavar="KIND,...",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Write a page with the pictures that were found.", metavar="FILE.html"),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Find labels that a run does not believe, and pictures unlike all others.",
            metavar="RUN",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with exit code 4 if a picture is unreadable.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the report.")] = False,
    runs_dir: RunsDir = None,
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Read every picture in full and say what is wrong with them; nothing is changed.

    Found are damaged files, copies and look-alikes (across classes and across train, val and test
    above all), uneven and small classes, pictures that are tiny, blank, dark or blurred, and more.

    \b
    Example:
        dlcli check ./animals
        dlcli check ./animals --report report.html
        dlcli check ./animals --fail-on corrupt,leak --quiet
    """
    from dlcli.commands import check as command
    from dlcli.runs.run import default_runs_folder
    from dlcli.ui import check_lines, formats
    from dlcli.ui.progress import make_reporter

    with sentences():
        limit_threads(threads)
        options = command.CheckOptions(
            target,
            runs_dir or default_runs_folder(),
            tuple(fail_on or ()),
            report,
            force=force,
            labels=labels,
            strict=strict,
        )
        with make_reporter(quiet=quiet) as reporter:
            result = command.run(options, reporter)
        if as_json:
            console.print_answer([formats.dump_json(formats.check_document(result))])
        else:
            console.print_answer(check_lines.check_lines(result))
        # The answer is given by now: a disk too full for the page does not take it away.
        if report is not None:
            command.write_report(result, report)
        command.require_gates(result, strict=strict)


@app.command()
def train(
    target: Annotated[
        Path | None,
        typer.Argument(
            help="A folder of class folders, a manifest (.csv) or a spec (.yaml).",
            metavar="[TARGET]",
        ),
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
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume",
            help="Go on with a run that was stopped; TARGET is left out.",
            metavar="RUN",
        ),
    ] = None,
    split_from: Annotated[
        str | None,
        typer.Option(
            "--split-from",
            help="Use the split of an earlier run; added pictures go to train.",
            metavar="RUN",
        ),
    ] = None,
    effort: Annotated[Effort | None, typer.Option(help="How long it may take.")] = None,
    max_time: Annotated[
        str | None, typer.Option(help="End within that time, e.g. 10m, with the best so far.")
    ] = None,
    device: Annotated[
        DeviceName, typer.Option(help="Where layers are trained; auto takes a GPU if there is one.")
    ] = DeviceName.AUTO,
    backend: Annotated[
        BackendName, typer.Option(help="What Keras trains layers with.")
    ] = BackendName.TENSORFLOW,
    deterministic: Annotated[
        bool,
        typer.Option(
            "--deterministic",
            help="The same weights from the same seed on a GPU, too; on a CPU it is always so.",
        ),
    ] = False,
    refit: Annotated[
        bool,
        typer.Option(
            "--refit", help="Train once more, on train, val and test, when the numbers are taken."
        ),
    ] = False,
    hosts: Annotated[
        str | None,
        typer.Option(help="Where many processes meet: that of process 0.", metavar="HOST:PORT"),
    ] = None,
    num_processes: Annotated[
        int | None,
        typer.Option(
            min=1, help="How many there are [default: what srun or mpirun says].", metavar="N"
        ),
    ] = None,
    process_id: Annotated[
        int | None,
        typer.Option(min=0, help="Which one this is, from 0 [default: as above].", metavar="I"),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with exit code 4 if a picture is unreadable.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the model and the plan, and stop.")
    ] = False,
    tensorboard: Annotated[
        bool,
        typer.Option("--tensorboard", help="Write event files for TensorBoard into the run."),
    ] = False,
    mlflow: Annotated[
        bool,
        typer.Option("--mlflow", help="Log to MLflow, at $MLFLOW_TRACKING_URI."),
    ] = False,
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train a classifier on a folder of labelled pictures.

    \b
    Example:
        dlcli train ./animals
        dlcli train dlcli.yaml --set data.image_size=192 --name small
        dlcli train --resume small
    """
    from dlcli.cluster.launch import LaunchOptions
    from dlcli.commands import train as command
    from dlcli.commands.together import FollowResult, find_launch_for
    from dlcli.commands.watching import with_listeners
    from dlcli.runs.run import default_runs_folder
    from dlcli.ui import formats, tables
    from dlcli.ui.progress import make_reporter

    with sentences():
        limit_threads(threads)
        overrides = [*(set_ or []), *([f"train.effort={effort.value}"] if effort else [])]
        if max_time is not None:
            overrides.append(f"train.max_time={max_time}")
        if split_from is not None:  # quoted: a run may be called 17
            overrides.append(f"data.split_from={json.dumps(split_from)}")
        options = command.TrainOptions(
            target=target,
            runs_folder=runs_dir or default_runs_folder(),
            spec=spec,
            overrides=tuple(overrides),
            name=name,
            resume=resume,
            strict=strict,
            dry_run=dry_run,
            command=tuple(sys.argv),
            device=device.value,
            backend=backend.value,
            deterministic=deterministic,
            refit=refit,
            launch=find_launch_for(LaunchOptions(hosts, num_processes, process_id), backend.value),
        )
        with make_reporter(quiet=quiet) as reporter:
            everybody = with_listeners(reporter, tensorboard=tensorboard, mlflow=mlflow)
            result = command.run(options, everybody, end_now)
        if isinstance(result, FollowResult) or (options.launch and options.launch.process_id):
            return  # process 0 answers
        if isinstance(result, command.DryRunResult):
            document = formats.dry_run_document(result)
            lines = tables.dry_run_lines(result)
        else:
            document, lines = formats.train_document(result), tables.train_lines(result)
        console.print_answer([formats.dump_json(document)] if as_json else lines)


@app.command()
def evaluate(
    target: Annotated[
        Path | None,
        typer.Argument(
            help="A labelled folder or manifest [default: the run's own test pictures].",
            metavar="[TARGET]",
        ),
    ] = None,
    run: RunName = None,
    runs_dir: RunsDir = None,
    split: Annotated[
        judging.SplitName | None, typer.Option(help="Which part [default: test, else val].")
    ] = None,
    engine: Engine = EngineName.AUTO,
    min_: judging.Minimum = None,
    max_: judging.Maximum = None,
    baseline: judging.Baseline = None,
    max_drop: judging.MaxDrop = None,
    coverage: judging.Coverage = None,
    junit: judging.Junit = None,
    markdown: judging.Markdown = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write a page: curves, calibration, the worst mistakes.", metavar="FILE.html"
        ),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite these files.")] = False,
    threads: Threads = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Report how good a run is, on pictures it has not seen.

    \b
    Example:
        dlcli evaluate
        dlcli evaluate ./field-photos --run runs/animals-1
        dlcli evaluate --min accuracy=0.95@low --min recall:tiger=0.9 --max ece=0.05
        dlcli evaluate --baseline animals-1 --max-drop 0.5% --junit gates.xml
        dlcli evaluate --report report.html --open
    """
    from dlcli.commands import evaluate as command
    from dlcli.runs.run import default_runs_folder
    from dlcli.ui import formats, tables
    from dlcli.ui.progress import make_reporter

    with sentences():
        limit_threads(threads)
        options = command.EvaluateOptions(
            target,
            runs_dir or default_runs_folder(),
            run,
            split.value if split else None,
            engine=engine.value,
            minima=tuple(min_ or ()),
            maxima=tuple(max_ or ()),
            baseline=baseline,
            max_drop=max_drop,
            coverage=coverage,
            junit=junit,
            markdown=markdown,
            report=report,
            opens=open_,
            force=force,
        )
        with make_reporter(quiet=quiet) as reporter:
            result = command.run(options, reporter)
        if as_json:
            console.print_answer([formats.dump_json(formats.evaluate_document(result))])
        else:
            console.print_answer(tables.evaluate_lines(result))
        # The answer is given by now: a disk too full for a file does not take it away.
        command.write_files(result, options)
        _write_page(result, opens=open_, quiet=quiet)
        command.require_gates(result)


app.command()(predicting.predict)
app.command()(explaining.explain)
app.command()(judging.compare)


app.command()(exporting.export)
app.command()(exporting.benchmark)


@app.command()
def models(
    as_json: AsJson = False,
    quiet: Quiet = False,  # noqa: ARG001 - there is nothing to be quiet about
) -> None:
    """List the backbones: parameters, input size, and whether their weights are here.

    \b
    Example:
        dlcli models
        dlcli train ./animals --set model.backbone=efficientnet-lite2
    """
    from dlcli.commands import models as command
    from dlcli.ui import formats, tables

    with sentences():
        found = command.run()
        if as_json:
            console.print_answer([formats.dump_json(formats.models_document(found))])
        else:
            console.print_answer(tables.models_lines(found))


@app.command()
def doctor(as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Show versions and devices, and what keeps a GPU from being used.

    \b
    Example:
        dlcli doctor
    """
    from dlcli.commands import doctor as command
    from dlcli.ui import doctor_lines, formats
    from dlcli.ui.progress import make_reporter

    with sentences():
        with make_reporter(quiet=quiet) as reporter:
            result = command.run(reporter)
        if as_json:
            console.print_answer([formats.dump_json(formats.doctor_document(result))])
        else:
            console.print_answer(doctor_lines.doctor_lines(result))


app.command()(keeping.runs)
app.command()(keeping.cache)


def _write_page(result: EvaluateResult, *, opens: bool, quiet: bool) -> None:
    """Writes the page of an evaluation, where there is to be one, and shows it."""
    if result.page is None or result.page_file is None:
        return
    from dlcli.commands.report_page import write_page
    from dlcli.ui.browser import open_in_browser

    write_page(result.page, result.page_file)
    if not quiet:
        console.print_note(f"page: {result.page_file}")
    if opens and not open_in_browser(result.page_file):
        console.print_warning(f"there is no browser here: open {result.page_file} in one")
