"""What a training has come to: given to who asked, and kept in the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlcli.artifact import ModelFacts
    from dlcli.data.index import SkippedFile
    from dlcli.metrics.agreement import Agreement
    from dlcli.metrics.report import Report
    from dlcli.runs.run import Run
    from dlcli.training.trained import HistoryRow


@dataclass(frozen=True)
class StageResult:
    """One stage of a training; `learning_rate` is the highest of its schedule, None for a head."""

    name: str
    epochs: int
    seconds: float
    val_accuracy: float
    learning_rate: float | None = None


@dataclass(frozen=True)
class TrainResult:
    """A finished training; `test` is None where the folder has no test part, `page` where the
    page of its report could not be written."""

    run: Path
    status: str
    classes: tuple[str, ...]
    num_images: dict[str, int]
    skipped: tuple[SkippedFile, ...]
    stages: tuple[StageResult, ...]
    best_epoch: int
    val: Report
    test: Report | None
    seconds: dict[str, float]
    model: ModelFacts
    page: Path | None = None
    is_elsewhere: bool = False
    """Whether the other commands find the run only when it is named."""

    @property
    def agreement(self) -> Agreement | None:
        """How val and test agree; None where there is no test part."""
        from dlcli.metrics.agreement import agreement_of

        return agreement_of(self.val, self.test) if self.test else None


def write_result(opened: Run, result: TrainResult) -> None:
    """The reports, and in run.json what else there is to tell."""
    from dlcli.runs import files

    reports: dict[str, Any] = {"schema": 1, "val": result.val.to_json(), "test": None}
    if result.test:
        reports["test"] = result.test.to_json()
    files.write_json(opened.folder / files.METRICS, reports)
    opened.update(
        status=result.status,
        seconds=result.seconds,
        stages=[asdict(stage) for stage in result.stages],
        best_epoch=result.best_epoch,
    )


def stored_result(opened: Run) -> TrainResult:
    """What `write_result` wrote.

    Raises:
        DataError: if a file of the run is missing or damaged.
    """
    from dlcli.artifact import open_artifact
    from dlcli.data.index import SkippedFile
    from dlcli.runs import files

    about = opened.describe()
    val, test = opened.reports()
    page = opened.folder / files.REPORT
    data = about["data"]
    return TrainResult(
        run=opened.folder,
        status=about["status"],
        classes=tuple(data["classes"]),
        num_images=data["num_images"],
        skipped=tuple(SkippedFile(**file) for file in about["skipped"]),
        stages=tuple(StageResult(**stage) for stage in about["stages"]),
        best_epoch=about["best_epoch"],
        val=val,
        test=test,
        seconds=about["seconds"],
        model=open_artifact(opened.model_folder).model,
        page=page if page.is_file() else None,
    )


def write_history(opened: Run, rows: Sequence[HistoryRow]) -> None:
    """history.csv: a row an epoch."""
    from dlcli.runs import files
    from dlcli.training.trained import HistoryRow

    columns = tuple(column.name for column in fields(HistoryRow))
    cells = (["" if value is None else value for value in astuple(row)] for row in rows)
    files.write_csv(opened.folder / files.HISTORY, columns, cells)
