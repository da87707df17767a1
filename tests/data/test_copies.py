"""Copies: in one part, across classes, across parts; and what looks alike."""

from __future__ import annotations

import pytest

from dlcli.data.copies import Copies, copy_findings, find_copies
from dlcli.data.findings import Finding
from dlcli.data.index import DatasetIndex
from dlcli.data.inspection import Inspection, PictureFacts
from tests.data.inspected import facts, index_of, inspected, look


def copies_of(index: DatasetIndex, inspection: Inspection) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in copy_findings(index, inspection, find_copies(index, inspection)):
        found.setdefault(finding.kind, []).append(finding)
    return found


def like(seed: int, other: int) -> PictureFacts:
    """Other bytes than those of picture `other`, and the same look."""
    return facts(seed, look=look(other))


def test_pictures_that_differ() -> None:
    index = index_of("train/cat/a", "train/dog/b", "test/cat/c")
    assert copies_of(index, inspected(facts(0), facts(1), facts(2))) == {}


def test_identical_files() -> None:
    index = index_of("cat/a", "cat/b", "cat/c", "dog/d")
    found = copies_of(index, inspected(facts(0), facts(1), facts(0), facts(2)))
    assert found == {
        "duplicate": [Finding("duplicate", ("cat/a", "cat/c"), "2 identical files", ("cat/c",))]
    }


def test_pictures_that_look_alike() -> None:
    index = index_of("cat/a", "cat/b", "dog/d")
    found = copies_of(index, inspected(facts(0), like(1, 0), facts(2)))
    assert found == {
        "near_duplicate": [
            Finding("near_duplicate", ("cat/a", "cat/b"), "2 pictures that look alike")
        ]
    }


def test_copies_and_look_alikes_are_one_group() -> None:
    index = index_of("cat/a", "cat/b", "cat/c")
    found = copies_of(index, inspected(facts(0), like(1, 0), facts(0)))
    assert [one.paths for one in found["duplicate"]] == [("cat/a", "cat/c")]
    assert [one.paths for one in found["near_duplicate"]] == [("cat/a", "cat/b", "cat/c")]


@pytest.mark.parametrize(
    ("other", "subject"),
    [(facts(0), "the same picture"), (like(1, 0), "pictures that look alike")],
)
def test_across_classes(other: PictureFacts, subject: str) -> None:
    index = index_of("cat/a", "dog/b", "lion/c")
    [conflict] = copies_of(index, inspected(facts(0), other, facts(2)))["label_conflict"]
    assert conflict.paths == conflict.exclude == ("cat/a", "dog/b")
    assert conflict.classes == ("cat", "dog")
    assert conflict.detail == f"{subject} in cat and dog"


def test_across_three_classes() -> None:
    index = index_of("cat/a", "dog/b", "lion/c")
    [conflict] = copies_of(index, inspected(facts(0), facts(0), facts(0)))["label_conflict"]
    assert conflict.detail == "the same picture in cat, dog and lion"


@pytest.mark.parametrize(
    ("other", "subject"),
    [(facts(0), "the same picture"), (like(1, 0), "pictures that look alike")],
)
def test_across_parts_the_latest_keeps_its_own(other: PictureFacts, subject: str) -> None:
    index = index_of("train/cat/a", "test/cat/b", "train/dog/c", "test/dog/d")
    found = copies_of(index, inspected(facts(0), other, facts(2), facts(3)))
    [leak] = found["leak"]
    assert leak.paths == ("test/cat/b", "train/cat/a")
    assert leak.exclude == ("train/cat/a",)
    assert leak.detail == f"{subject} in train and test"


def test_all_that_is_left_out_leaves_one_copy() -> None:
    """Whatever the order of the folders, a duplicate and a leak keep the same file."""
    paths = ("train/cat/a", "train/cat/b", "val/cat/c", "val/cat/d", "test/cat/e", "test/cat/f")
    index = index_of(*paths)
    found = copies_of(index, inspected(*(facts(0) for _ in paths)))
    excluded = {path for kind in found.values() for one in kind for path in one.exclude}
    assert set(paths) - excluded == {"test/cat/e"}
    assert found["leak"][0].detail == "the same picture in train, val and test"


def test_a_group_across_parts() -> None:
    groups = {"train/cat/a": "film 1", "val/cat/b": "film 1", "train/cat/c": "film 2"}
    index = index_of("train/cat/a", "val/cat/b", "train/cat/c", "val/cat/d", groups=groups)
    found = copies_of(index, inspected(*(facts(seed) for seed in range(4))))
    [leak] = found["leak"]
    assert leak.detail == "the group film 1 is in train and val"
    assert leak.exclude == ("train/cat/a",)


def test_what_cannot_be_read_is_a_copy_of_nothing() -> None:
    index = index_of("train/cat/a", "test/cat/b", "test/cat/c")
    assert copies_of(index, inspected("truncated", "truncated", facts(1))) == {}


def test_blank_pictures_are_alike_and_no_copies() -> None:
    made = [facts(seed, spread=0.0) for seed in range(3)]
    for one in made:
        one.look["thumbnail"] = 255
        one.look["hash"] = 0
    assert copies_of(index_of("cat/a", "cat/b", "dog/c"), inspected(*made)) == {}


def test_in_a_uniform_class_looks_say_nothing() -> None:
    """Photos of one scene by a fixed camera: thirty that look alike, but two identical ones."""
    paths = [f"road/{number}" for number in range(30)] + ["sky/a", "sky/b"]
    scene = [like(seed, 0) for seed in range(29)]
    index, inspection = index_of(*paths), inspected(*scene, scene[3], facts(90), like(91, 90))
    copies = find_copies(index, inspection)
    assert copies == Copies([[3, 29]], [[3, 29], [30, 31]], ("road",))
    found = copies_of(index, inspection)
    assert [one.paths for one in found["near_duplicate"]] == [("sky/a", "sky/b")]
