"""Which split a training uses: shares, or that of an earlier run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dlcli.errors import UsageError

if TYPE_CHECKING:
    from dlcli.data.index import DatasetIndex
    from dlcli.data.partition import EarlierSplit
    from dlcli.data.split import SplitFractions
    from dlcli.spec.schema import DataSpec

_KEY = "data.split_from"


def choose_split_rule(
    data: DataSpec, index: DatasetIndex, runs_folder: Path
) -> SplitFractions | EarlierSplit:
    """The shares of `data.split`, or the split of the run that `data.split_from` names.

    Raises:
        UsageError: if there is no such run, it has no pictures, or the folder is split already.
        DataError: if its list of pictures is damaged.
    """
    from dlcli.data.partition import EarlierSplit
    from dlcli.data.split import SplitFractions
    from dlcli.runs.run import Run, find_run

    if data.split_from is None:
        return SplitFractions(data.split.val, data.split.test, data.split.seed)
    if index.is_split:
        raise UsageError(
            f"{index.source} says itself which pictures are for training.",
            where=_KEY,
            fix=f"Leave {_KEY} out.",
        )
    folder = find_run(data.split_from, runs_folder)
    pictures = Run(folder).pictures()
    if pictures is None:
        raise UsageError(
            "this is a model alone, without a list of its pictures.",
            where=f"{_KEY} {data.split_from}",
            fix="Name a run folder, which has a split.csv.",
        )
    return EarlierSplit(
        str(folder),
        {row["sha256"]: row["split"] for row in pictures.rows},
        {row["path"]: row["split"] for row in pictures.rows},
    )
