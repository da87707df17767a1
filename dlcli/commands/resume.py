"""dlcli train --resume: a run that was stopped goes on as it was begun."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli.errors import DataError, SpecError, UsageError
from dlcli.events import Reporter, Said

if TYPE_CHECKING:
    from dlcli.commands.train import TrainOptions
    from dlcli.data.dataset import Dataset
    from dlcli.runs.run import Run
    from dlcli.spec.schema import Spec

_LEAVE_OUT = "Leave it out, or begin a new run."


def find_unfinished(options: TrainOptions, reporter: Reporter) -> Run:
    """The run that `--resume` names, whether it is over or not.

    Raises:
        UsageError: if there is none, or other options ask for another training than it is.
        DataError: if its description is damaged.
    """
    from dlcli.runs.run import Run, is_run

    named = options.resume or ""
    candidates = (options.runs_folder / named, options.runs_folder.parent / named)
    folders = [folder for folder in candidates if is_run(folder)]
    if not folders:
        raise UsageError(
            "there is no such run.", where=f"--resume {named}", fix="`dlcli runs` lists them."
        )
    found = Run(folders[0])
    _require_the_same(options, found)
    if found.is_over:
        reporter.report(Said(f"{found.folder} is completed: this is its result"))
    else:
        reporter.report(Said(f"going on with {found.folder}"))
    return found


def options_of(earlier: Run, options: TrainOptions) -> TrainOptions:
    """What the run was begun with; its spec holds the folder and every setting."""
    from dlcli.runs import files

    return replace(
        options,
        target=None,
        spec=earlier.folder / files.SPEC,
        overrides=(),
        name=None,
        **_stored(earlier),
    )


def reopen(earlier: Run, dataset: Dataset) -> Run:
    """The run, ready to go on.

    Raises:
        DataError: if its pictures or their split are no longer those that it was begun with.
        UsageError: if a process that lives is at work on it.
    """
    from dlcli.runs import files
    from dlcli.runs.run import RUNNING

    if earlier.is_at_work():
        raise UsageError(
            "this run is being trained at this moment.",
            where=str(earlier.folder),
            fix="Wait for it, or stop it first.",
        )
    about = earlier.describe()
    path = earlier.folder / files.SPLIT
    is_begun = path.is_file()
    rows = [tuple(row.values()) for row in files.read_csv(path)] if is_begun else []
    # The split says what is in each picture, and a copy on another host has that, too; the
    # fingerprint depends on the times of the files.
    is_same = about["data"]["fingerprint"] == dataset.store.key
    if is_begun:
        is_same = rows == [tuple(map(str, row)) for row in dataset.split_rows()]
    if not is_same:
        raise DataError(
            "the pictures are no longer those that this run was begun with.",
            where=about["data"]["folder"],
            fix="Bring them back, or begin a new run (--split-from takes over this one's split).",
        )
    earlier.clear_workspaces()
    earlier.update(status=RUNNING)
    return earlier


def _require_the_same(options: TrainOptions, run: Run) -> None:
    """Refuses every option that asks for another training than the run is."""
    from dlcli.runs import files
    from dlcli.spec.loader import read_spec

    given = {
        "TARGET": options.target,
        "--spec": options.spec,
        "--name": options.name,
        "--dry-run": options.dry_run or None,
    }
    for name, value in given.items():
        if value is not None:
            raise UsageError(
                "a run that is resumed goes on as it was begun.",
                where=f"{name} {value}" if name != "--dry-run" else name,
                fix=_LEAVE_OUT,
            )
    stored = _stored(run)
    defaults = type(options)(target=None, runs_folder=options.runs_folder)
    for name, value in stored.items():
        asked = getattr(options, name)
        if asked not in (getattr(defaults, name), value):
            raise UsageError(
                f"this run was begun with {value}.",
                where=f"--{name} {asked}",
                fix=_LEAVE_OUT,
            )
    spec = run.folder / files.SPEC
    if options.overrides and not _amounts_to(read_spec(spec).spec, spec, options.overrides):
        raise UsageError(
            "this run was begun otherwise.",
            where=" ".join(options.overrides),
            fix=f"{_LEAVE_OUT} {spec} says how it was begun.",
        )


def _stored(run: Run) -> dict[str, Any]:
    try:
        return dict(run.describe()["options"])
    except (KeyError, TypeError) as error:
        raise DataError(
            "this run does not say what it was begun with; it is of an earlier version.",
            where=str(run.folder),
            fix="Begin a new run.",
        ) from error


def _amounts_to(wanted: Spec, file: Path, overrides: tuple[str, ...]) -> bool:
    """Whether a spec with some keys set anew is `wanted`."""
    from dlcli.spec.loader import read_spec

    try:
        return read_spec(file, overrides).spec == wanted
    except SpecError:
        return False
