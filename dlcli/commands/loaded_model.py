"""A trained model for other programs: what `dlcli.load` gives."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.commands.answer_rules import AUTO, AnswerRules, Asked, PredictionRecord, fit_rules
from dlcli.commands.engines import AUTO as AUTO_ENGINE
from dlcli.commands.engines import KERAS, LITERT
from dlcli.commands.open_run import open_run
from dlcli.errors import DataError, UsageError
from dlcli.events import Event, Warned

if TYPE_CHECKING:
    from dlcli.runtime.classifier import Classifier

Picture = str | os.PathLike[str] | bytes
_FROM_MEMORY = "a picture in memory"


@dataclass(frozen=True)
class LoadedModel:
    """A trained model. It may be asked by several threads at once: each of them runs the network on
    its own. `run` is the run's folder, or "imagenet"."""

    run: str
    _classifier: Classifier
    _rules: AnswerRules

    @property
    def class_names(self) -> tuple[str, ...]:
        """In the order of the labels."""
        return self._rules.class_names

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of what the network sees; pictures of any size are fitted to it."""
        return self._classifier.artifact.pixel_format.image_size

    def predict(self, picture: Picture) -> PredictionRecord:
        """The answer for a picture: a path, or the bytes of a file.

        Raises:
            DataError: if it cannot be read.
        """
        if isinstance(picture, bytes):
            path = _FROM_MEMORY
            found = self._classifier.predict_content(path, picture)
        else:
            path = os.fspath(picture)
            found = self._classifier.predict_file(path)
        if found.error is not None:
            raise DataError(f"{found.error}.", where=path)
        return self._rules.record_of(found)

    def predict_many(self, paths: Iterable[str | os.PathLike[str]]) -> Iterator[PredictionRecord]:
        """Answers in the order of the paths, worked out on several threads, each as soon as it is
        known; the paths are taken lazily. A picture that cannot be read has its reason in `error`.
        """
        for found in self._classifier.predict_files(paths):
            yield self._rules.record_of(found)


def load_model(
    run: str | os.PathLike[str] | None,
    runs_dir: str | os.PathLike[str] | None,
    *,
    threshold: float | None,
    max_error: float | None,
    coverage: float | None,
    top: int,
    engine: str,
) -> LoadedModel:
    """As `dlcli.load` says."""
    from dlcli.runs.run import default_runs_folder

    if top < 1:
        raise UsageError("must be 1 or more.", where=f"top={top}")
    engines = (AUTO_ENGINE, LITERT, KERAS)
    if engine not in engines:
        raise UsageError(f"must be one of {', '.join(engines)}.", where=f"engine={engine!r}")
    folder = default_runs_folder() if runs_dir is None else Path(runs_dir)
    reporter = _AsWarnings()
    named = None if run is None else os.fspath(run)
    opened = open_run(named, folder, reporter, engine=engine)
    asked = Asked(AUTO if threshold is None else str(threshold), max_error, coverage, top)
    rules = fit_rules(opened.classifier, asked, reporter, opened.name)
    return LoadedModel(opened.name, opened.classifier, rules)


class _AsWarnings:
    """What must not be missed, said as Python says it; all else is not said."""

    def report(self, event: Event) -> None:
        if isinstance(event, Warned):
            warnings.warn(event.text, stacklevel=2)
