"""The split of each picture: given, as before, or dealt."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcli.data.index import DatasetIndex, ImageFile, SkippedFile
from dlcli.data.partition import EarlierSplit, assign_splits
from dlcli.data.split import TEST, TRAIN, VAL, SplitFractions
from dlcli.errors import DataError

HERE = Path("pictures")


def index_of(paths: list[str], splits: list[str | None] | None = None) -> DatasetIndex:
    names = tuple(sorted({path.split("/")[0] for path in paths}))
    given = splits or [None] * len(paths)
    files = tuple(
        ImageFile(path, names.index(path.split("/")[0]), split)
        for path, split in zip(paths, given, strict=True)
    )
    return DatasetIndex(HERE, names, files, source=HERE)


def assigned(
    paths: list[str],
    rule: SplitFractions | EarlierSplit,
    sha256s: list[str] | None = None,
    groups: list[str] | None = None,
    splits: list[str | None] | None = None,
) -> tuple[dict[str, str | None], list[SkippedFile], int]:
    """The split of each path, what leaks, and how many were added; every picture is readable."""
    partition = assign_splits(
        index_of(paths, splits), [None] * len(paths), sha256s or paths, groups or paths, rule
    )
    return (
        dict(zip(paths, partition.splits, strict=True)),
        partition.leaks,
        partition.num_added,
    )


EARLIER = EarlierSplit(
    "runs/a-1",
    {"sha cat 1": TRAIN, "sha cat 2": VAL, "sha cat 3": TEST, "sha dog 1": TRAIN},
    {"cat/1": TRAIN, "cat/2": VAL, "cat/3": TEST, "dog/1": TRAIN},
)


def test_what_was_there_stays_and_what_was_added_goes_to_train() -> None:
    paths = ["cat/1", "cat/2", "cat/3", "cat/new", "dog/1", "emu/new"]
    sha256s = ["sha cat 1", "sha cat 2", "sha cat 3", "new 1", "sha dog 1", "new 2"]
    found, leaks, num_added = assigned(paths, EARLIER, sha256s)
    assert found == {
        "cat/1": TRAIN,
        "cat/2": VAL,
        "cat/3": TEST,
        "cat/new": TRAIN,
        "dog/1": TRAIN,
        "emu/new": TRAIN,
    }
    assert (leaks, num_added) == ([], 2)


def test_a_renamed_and_an_edited_picture_are_known() -> None:
    found, _, num_added = assigned(["cat/3", "cat/moved"], EARLIER, ["edited", "sha cat 2"])
    assert found == {"cat/3": TEST, "cat/moved": VAL}
    assert num_added == 0


def test_bytes_count_more_than_a_name() -> None:
    found, _, _ = assigned(["cat/1", "cat/3"], EARLIER, ["sha cat 3", "sha cat 1"])
    assert found == {"cat/1": TEST, "cat/3": TRAIN}


def test_an_added_picture_goes_where_its_group_is() -> None:
    paths = ["cat/1", "cat/3", "cat/like-3", "cat/like-1"]
    sha256s = ["sha cat 1", "sha cat 3", "new 1", "new 2"]
    found, _, _ = assigned(paths, EARLIER, sha256s, ["a", "b", "b", "a"])
    assert found == {"cat/1": TRAIN, "cat/3": TEST, "cat/like-3": TEST, "cat/like-1": TRAIN}


def test_a_picture_that_is_now_a_copy_of_a_tested_one_leaves_train() -> None:
    """Edited since: its name says train, its bytes are those of another that says test."""
    earlier = EarlierSplit("runs/a-1", {}, {"cat/1": TRAIN, "cat/3": TEST})
    found, leaks, _ = assigned(["cat/1", "cat/3"], earlier, ["same", "same"], ["a", "a"])
    assert found == {"cat/1": None, "cat/3": TEST}
    assert leaks == [SkippedFile("cat/1", "the same picture as cat/3")]


def test_a_run_on_other_pictures_is_refused() -> None:
    with pytest.raises(DataError, match=r"^pictures: none of these pictures were in runs/a-1\."):
        assigned(["emu/1", "emu/2"], EARLIER)


def test_what_is_unreadable_has_no_split() -> None:
    paths = ["cat/1", "cat/2", "cat/3", "cat/4"]
    index = index_of(paths)
    reasons = [None, "not a picture", None, None]
    for rule in (SplitFractions(0.3, 0.3), EARLIER):
        splits = assign_splits(index, reasons, paths, paths, rule).splits
        assert [split is None for split in splits] == [False, True, False, False]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((TRAIN, TRAIN, TRAIN, TRAIN), {TRAIN, VAL, TEST}),
        ((TRAIN, TRAIN, TRAIN, TEST), {TRAIN, VAL, TEST}),
        ((TRAIN, TRAIN, TRAIN, VAL), {TRAIN, VAL}),
        ((TRAIN, TRAIN, VAL, TEST), {TRAIN, VAL, TEST}),
    ],
)
def test_what_is_given_stays_and_the_rest_comes_out_of_train(
    given: tuple[str, ...], expected: set[str]
) -> None:
    paths = [f"{name}/{number}" for name in ("cat", "dog") for number in range(4)]
    found, _, _ = assigned(paths, SplitFractions(0.25, 0.25), splits=[*given, *given])
    assert set(found.values()) == expected
    for path, split in zip(paths, [*given, *given], strict=True):
        assert split == TRAIN or found[path] == split
