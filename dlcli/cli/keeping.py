"""The commands that look after what dlcli keeps: runs, and the cache."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from dlcli.cli.options import AsJson, Quiet, RunsDir
from dlcli.endings import sentences
from dlcli.errors import UsageError
from dlcli.ui import console


class Clearable(StrEnum):
    """What the cache holds, and all of it."""

    PIXELS = "pixels"
    FEATURES = "features"
    ACTIVATIONS = "activations"
    BODIES = "bodies"
    INT8_BODIES = "int8-bodies"
    ALL = "all"


def runs(
    runs_dir: RunsDir = None,
    delete: Annotated[
        list[str] | None,
        typer.Option("--delete", help="Delete this run; may be repeated.", metavar="RUN"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,  # noqa: ARG001 - there is nothing to be quiet about
) -> None:
    """List the runs with their numbers, the latest first, or delete some.

    \b
    Example:
        dlcli runs
        dlcli runs --delete animals-1 --yes
    """
    from dlcli.commands import runs as command
    from dlcli.runs.run import default_runs_folder
    from dlcli.ui import formats, kept_tables

    with sentences():
        folder = runs_dir or default_runs_folder()
        doomed = command.find_deletable(folder, tuple(delete or ()))
        if doomed and not yes:
            _require_consent([str(path) for path in doomed])
        result = command.run(folder, doomed)
        if as_json:
            console.print_answer([formats.dump_json(kept_tables.runs_document(result))])
        else:
            console.print_answer(kept_tables.runs_lines(result))


def _require_consent(named: list[str]) -> None:
    if not (console.is_terminal(sys.stdin) and console.is_terminal(sys.stderr)):
        raise UsageError(
            "deleting needs your consent, and there is no terminal to ask on.",
            where="--delete",
            fix="Say --yes.",
        )
    if not typer.confirm(f"Delete {', '.join(map(console.printable, named))}?", err=True):
        raise UsageError("nothing was deleted.", where="--delete")


def cache(
    clear: Annotated[
        list[Clearable] | None,
        typer.Option("--clear", help="Remove what is kept of a kind; may be repeated."),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,  # noqa: ARG001 - there is nothing to be quiet about
) -> None:
    """Show what is kept between commands, or clear it.

    Pixels and features are made again when they are needed; bodies are converted again, which takes
    10-20 s each. What another dlcli uses at this moment stays.

    \b
    Example:
        dlcli cache
        dlcli cache --clear pixels --clear features
    """
    from dlcli.commands import cache as command
    from dlcli.ui import formats, kept_tables

    with sentences():
        named = [kind.value for kind in clear or ()]
        result = command.run(tuple(named))
        if as_json:
            console.print_answer([formats.dump_json(kept_tables.cache_document(result))])
        else:
            console.print_answer(kept_tables.cache_lines(result))
