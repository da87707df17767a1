"""A run: one training and all its files, in a folder that is never overwritten."""

from __future__ import annotations

import csv
import datetime
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcli import artifact
from dlcli.errors import DataError, UsageError
from dlcli.runs import files

if TYPE_CHECKING:
    from dlcli.metrics.report import Report

RUNNING, COMPLETED, INTERRUPTED, FAILED = "running", "completed", "interrupted", "failed"
IMAGENET = "imagenet"


@dataclass(frozen=True)
class OwnPictures:
    """The pictures of a run: the data set's folder, and a row each with path, label, split and
    sha256."""

    folder: Path
    rows: list[dict[str, str]]

    def of(self, split: str) -> list[dict[str, str]]:
        """The rows of one split."""
        return [row for row in self.rows if row["split"] == split]

    @property
    def splits(self) -> list[str]:
        """The splits that hold a picture."""
        return [split for split in ("train", "val", "test") if self.of(split)]


@dataclass(frozen=True)
class Run:
    """The folder of one training."""

    folder: Path

    @property
    def model_folder(self) -> Path:
        """Where the artefact lies once it is finished."""
        return self.folder / files.MODEL

    def describe(self) -> dict[str, Any]:
        """What run.json says.

        Raises:
            DataError: if it is missing or damaged.
        """
        path = self.folder / files.RUN_JSON
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise DataError(
                "this run's description is missing or damaged.",
                where=str(path),
                fix="Name another run with --run, or train again.",
            ) from error

    def pictures(self) -> OwnPictures | None:
        """What split.csv lists; None where there is none, as beside a model that stands alone.

        Raises:
            DataError: if it is damaged.
        """
        path = self.folder / files.SPLIT
        if not path.is_file():
            return None
        try:
            rows = files.read_csv(path)
            folder = Path(self.describe()["data"]["folder"])
            sound = rows and all({"path", "label", "split", "sha256"} <= row.keys() for row in rows)
        except (ValueError, KeyError, TypeError, csv.Error) as error:
            raise self._damaged(path) from error
        if not sound:
            raise self._damaged(path)
        return OwnPictures(folder, rows)

    def _damaged(self, path: Path) -> DataError:
        return DataError(
            "this run's list of pictures is damaged.",
            where=str(path),
            fix="Name another run with --run, or train again.",
        )

    def update(self, **facts: Any) -> None:
        """Writes run.json anew with `facts` changed."""
        files.write_json(self.folder / files.RUN_JSON, {**self.describe(), **facts})

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Inside, others can tell that a living process is at work on it."""
        from filelock import FileLock

        file = self.folder / files.LOCK
        try:
            with FileLock(file):
                yield
        finally:
            file.unlink(missing_ok=True)

    def is_at_work(self) -> bool:
        """Whether a process that lives is at work on it."""
        from filelock import FileLock, Timeout

        file = self.folder / files.LOCK
        if not file.exists():
            return False
        try:
            with FileLock(file, timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # it may be read and not written
            return False

    @contextmanager
    def workspace(self) -> Iterator[Path]:
        """A folder for what is made on the way; it is gone when the block ends."""
        with tempfile.TemporaryDirectory(prefix=".work-", dir=self.folder) as folder:
            yield Path(folder)

    @contextmanager
    def new_model(self) -> Iterator[Path]:
        """A folder to fill with an artefact; it becomes `model/` when the block ends well, in place
        of the one before. A run that is killed between the two renames has none until it is
        resumed."""
        building = Path(tempfile.mkdtemp(prefix=".model-", dir=self.folder))
        replaced = Path(tempfile.mkdtemp(prefix=".replaced-", dir=self.folder))
        try:
            yield building
            building.chmod(0o755)
            if self.model_folder.exists():
                self.model_folder.rename(replaced / files.MODEL)
            building.rename(self.model_folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)
            shutil.rmtree(replaced, ignore_errors=True)

    def drop_checkpoint(self) -> None:
        """Nothing is to be resumed any more."""
        shutil.rmtree(self.folder / files.CHECKPOINT, ignore_errors=True)

    def clear_workspaces(self) -> None:
        """Removes what a process that was killed has left half made."""
        for path in self.folder.iterdir():
            if path.name.startswith(files.BUILDING):
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    @property
    def is_over(self) -> bool:
        """Whether its training has come to its end.

        Raises:
            DataError: if its description is missing or damaged.
        """
        return self.describe().get("status") == COMPLETED

    def reports(self) -> tuple[Report, Report | None]:
        """What metrics.json says of val and test; test is None where there is no such part.

        Raises:
            DataError: if it is missing or damaged.
        """
        from dlcli.metrics.report import Report  # predict has no need of it

        path = self.folder / files.METRICS
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            val = Report.from_json(found["val"])
            return val, Report.from_json(found["test"]) if found["test"] else None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                "the numbers of this run are missing or damaged.",
                where=str(path),
                fix="Train anew.",
            ) from error


def is_run(folder: Path) -> bool:
    """Whether a folder was made by a training."""
    return (folder / files.RUN_JSON).is_file() and not folder.is_symlink()


def run_folders(runs_folder: Path) -> list[Path]:
    """Every run, finished or not; in no order."""
    return [path for path in runs_folder.iterdir() if is_run(path)] if runs_folder.is_dir() else []


def create_run(runs_folder: Path, stem: str, name: str | None, facts: Mapping[str, Any]) -> Run:
    """A new run folder, `name` or `<stem>-<n>`, with run.json in it.

    Raises:
        UsageError: if a run of that name is there already.
    """
    runs_folder.mkdir(parents=True, exist_ok=True)
    folder = _named_folder(runs_folder, name) if name else _numbered_folder(runs_folder, stem)
    files.write_json(folder / files.RUN_JSON, {"status": RUNNING, "started": now(), **facts})
    return Run(folder)


def now() -> str:
    """The time in UTC, ISO 8601, to the microsecond."""
    return datetime.datetime.now(datetime.UTC).isoformat()


def require_free_name(runs_folder: Path, name: str | None) -> None:
    """Before any work: whether a run of that name can be made.

    Raises:
        UsageError: if it cannot be a name, or is taken.
    """
    if name is None:
        return
    if not re.fullmatch(r"[^./\\\x00-\x1f][^/\\\x00-\x1f]{0,99}", name) or name == IMAGENET:
        raise UsageError(
            f"{name!r} cannot be a run's name.",
            where="--name",
            fix="Use up to 100 letters, digits and dashes, without slashes or a dot in front; "
            f"{IMAGENET} is taken by the built-in classifier.",
        )
    if (runs_folder / name).exists():
        raise _taken(runs_folder / name)


def _taken(folder: Path) -> UsageError:
    return UsageError(
        "there is a run of that name already.", where=str(folder), fix="Choose another --name."
    )


def _named_folder(runs_folder: Path, name: str) -> Path:
    require_free_name(runs_folder, name)
    folder = runs_folder / name
    try:
        folder.mkdir()
    except FileExistsError as error:
        raise _taken(folder) from error
    return folder


def _numbered_folder(runs_folder: Path, stem: str) -> Path:
    stem = _shorten(re.sub(r"[\x00-\x1f/\\]", "_", stem).lstrip(".")) or "run"
    taken = re.compile(re.escape(stem) + r"-(\d+)")
    numbers = [
        int(match[1]) for path in runs_folder.iterdir() if (match := taken.fullmatch(path.name))
    ]
    number = max(numbers, default=0) + 1
    while True:
        folder = runs_folder / f"{stem}-{number}"
        try:
            folder.mkdir()
        except FileExistsError:  # another training took the number a moment ago
            number += 1
        else:
            return folder


def _shorten(stem: str) -> str:
    """At most 200 bytes of a name: a file name ends at 255, and a number follows."""
    encoded = os.fsencode(stem)
    return stem if len(encoded) <= 200 else encoded[:200].decode("utf-8", "ignore")


def default_runs_folder() -> Path:
    """`$DLCLI_RUNS`, else ./runs."""
    return Path(os.environ.get("DLCLI_RUNS") or "runs")


def wanted_run(named: str | None) -> str | None:
    """What `--run` names, else `$DLCLI_RUN`; None where the latest run is meant."""
    return named or os.environ.get("DLCLI_RUN") or None


def find_run(named: str | None, runs_folder: Path) -> Path:
    """The folder of the run or artefact that `--run` names; without a name `$DLCLI_RUN`, else the
    latest finished run in `runs_folder`.

    Raises:
        UsageError: if there is none.
        DataError: if the one named holds no finished model.
    """
    named = wanted_run(named)
    if named is None:
        return latest_run(runs_folder).folder
    candidates = [folder for folder in (Path(named), runs_folder / named) if folder.is_dir()]
    for folder in candidates:
        if _find_model(folder) is not None:
            return folder
    if candidates:
        model_folder(candidates[0])  # says that there is none
    raise UsageError(
        "there is no such run.",
        where=named,
        fix=f"{_known(runs_folder)} `--run imagenet` is the built-in 1000-class classifier.",
    )


def model_folder(folder: Path) -> Path:
    """The artefact in a run folder or an exported folder, or the folder itself where it is one.

    Raises:
        DataError: if there is none.
    """
    found = _find_model(folder)
    if found is None:
        raise DataError(
            "there is no finished model in this folder.",
            where=str(folder),
            fix="Train one (`dlcli train FOLDER`) or name another run with --run.",
        )
    return found


def _find_model(folder: Path) -> Path | None:
    for candidate in (folder / files.MODEL, folder):
        if (candidate / artifact.MODEL_JSON).is_file():
            return candidate
    return None


def latest_run(runs_folder: Path) -> Run:
    """The run with a finished model that was started last.

    Raises:
        UsageError: if there is none.
    """
    finished = []
    for path in _finished_folders(runs_folder):
        try:
            finished.append((str(Run(path).describe().get("started", "")), path))
        except DataError:
            continue  # a damaged run is not the latest one; naming it says what is wrong
    if not finished:
        raise UsageError(
            "there is no finished run here.",
            where=str(runs_folder),
            fix="Train one: `dlcli train FOLDER`. Or use `--run imagenet`, the built-in "
            "1000-class classifier.",
        )
    return Run(max(finished)[1])


def _finished_folders(runs_folder: Path) -> list[Path]:
    if not runs_folder.is_dir():
        return []
    return [
        path
        for path in runs_folder.iterdir()
        if (path / files.MODEL / artifact.MODEL_JSON).is_file()
    ]


def _known(runs_folder: Path) -> str:
    names = sorted(path.name for path in _finished_folders(runs_folder))
    if not names:
        return f"There are no finished runs in {runs_folder}."
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return f"In {runs_folder} there are: {shown}."
