"""dlcli predict: pictures -> a record each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.commands.answer_rules import (
    AnswerRules,
    Asked,
    PredictionRecord,
    fit_rules,
    require_sound,
)
from dlcli.commands.engines import AUTO
from dlcli.commands.open_run import open_run
from dlcli.errors import UsageError
from dlcli.events import Reporter, Said, StageAdvanced, StageEnded, StageStarted

if TYPE_CHECKING:
    from dlcli.commands.sorted_pictures import Sorting
    from dlcli.runtime.classifier import Prediction

STAGE = "predicting"


@dataclass(frozen=True)
class PredictOptions:
    """`paths` may be endless: they are taken as they come; `folders` are those that were named.
    `picture` is one more, of which the bytes are at hand, with its name. `sorting` is a
    folder to put pictures into, sorted by class. `output` is the file that records are written
    into, in place of another with `force`. `batch_size` None is the classifier's own."""

    paths: Iterable[str]
    runs_folder: Path
    run: str | None = None
    asked: Asked = field(default_factory=Asked)
    folders: Sequence[str] = ()
    picture: tuple[str, bytes] | None = None
    sorting: Sorting | None = None
    output: Path | None = None
    force: bool = False
    engine: str = AUTO
    batch_size: int | None = None


@dataclass(frozen=True)
class Predictions:
    """The names of the classes, and a record an input, in input order, as soon as it is known."""

    class_names: tuple[str, ...]
    records: Iterator[PredictionRecord]


def run(options: PredictOptions, reporter: Reporter) -> Predictions:
    """Opens the run; the pictures are read as the records are taken.

    Raises:
        UsageError, DataError, ResourceError: if the run cannot be opened or cannot answer as it is
            asked; before the first record.
    """
    require_sound(options.asked)
    _require_places(options)
    opened = open_run(options.run, options.runs_folder, reporter, engine=options.engine)
    rules = fit_rules(opened.classifier, options.asked, reporter, opened.name)
    for folder in options.folders:
        _hint_at_evaluate(folder, rules.class_names, reporter)
    batch_size = {} if options.batch_size is None else {"batch_size": options.batch_size}
    predictions = opened.classifier.predict_files(options.paths, **batch_size)
    if options.picture is not None:
        predictions = _and_one(opened.classifier.predict_content(*options.picture), predictions)
    return Predictions(rules.class_names, _records(predictions, rules, options, reporter))


def folders_of(inputs: Sequence[str]) -> tuple[str, ...]:
    """Those of the inputs that are folders."""
    return tuple(item for item in inputs if os.path.isdir(item))


def sorting_into(copy_to: Path | None, link_to: Path | None) -> Sorting | None:
    """What `--copy-to` and `--link-to` ask for.

    Raises:
        UsageError: if both are given.
    """
    if copy_to is not None and link_to is not None:
        raise UsageError("contradicts --link-to.", where="--copy-to", fix="Give one of them.")
    folder = copy_to or link_to
    if folder is None:
        return None
    from dlcli.commands.sorted_pictures import Sorting

    return Sorting(folder, links=link_to is not None)


def _require_places(options: PredictOptions) -> None:
    if options.sorting is not None:
        from dlcli.commands.sorted_pictures import require_new_folder

        require_new_folder(options.sorting, options.folders)
    if options.output is not None:
        from dlcli.commands.report_place import require_place

        read = [Path(folder).resolve() for folder in options.folders]
        require_place(options.output, read, force=options.force)


def _and_one(one: Prediction, others: Iterator[Prediction]) -> Iterator[Prediction]:
    yield one
    yield from others


def _records(
    predictions: Iterable[Prediction],
    rules: AnswerRules,
    options: PredictOptions,
    reporter: Reporter,
) -> Iterator[PredictionRecord]:
    into = None
    if options.sorting is not None:
        from dlcli.commands.sorted_pictures import SortedPictures

        into = SortedPictures(options.sorting, rules.class_names, reporter)
    reporter.report(StageStarted(STAGE))
    for done, prediction in enumerate(predictions, 1):
        record = rules.record_of(prediction)
        if into is not None and record.label is not None:
            content = options.picture[1] if options.picture and done == 1 else None
            into.place(record.path, None if record.unknown else record.label, content)
        yield record
        reporter.report(StageAdvanced(STAGE, done))
    reporter.report(StageEnded(STAGE))


def _hint_at_evaluate(folder: str, class_names: Sequence[str], reporter: Reporter) -> None:
    """Whoever has sorted pictures by class may want to know how many answers are right."""
    from dlcli.data.folders import split_folders

    names = [name for _, name in split_folders(Path(folder))]
    holders = [os.path.join(folder, name) for name in names] or [folder]
    found = {
        entry.name for holder in holders for entry in os.scandir(holder) if entry.is_dir()
    } & set(class_names)
    if len(found) > 1:
        reporter.report(
            Said(
                f"{folder} has folders of {len(found)} of the classes; how many answers are right "
                f"says:  dlcli evaluate {folder}"
            )
        )
