"""Classes: few pictures, none, or far fewer than others."""

from __future__ import annotations

import pytest

from dlcli.data.class_rules import FEW_PICTURES, IMBALANCE, class_findings
from dlcli.data.inspection import PictureFacts
from tests.data.inspected import facts, index_of, inspected


def found_in(
    counts: dict[str, int], unreadable: dict[str, int] | None = None, empty: tuple[str, ...] = ()
) -> list[tuple[str, str]]:
    """(kind, detail) of all findings where `counts` are pictures a folder."""
    sound = [f"{folder}/{number}" for folder, count in counts.items() for number in range(count)]
    broken = [
        f"{name}/broken{n}" for name, count in (unreadable or {}).items() for n in range(count)
    ]
    made: list[PictureFacts | str] = [facts(seed) for seed in range(len(sound))]
    index = index_of(*sound, *broken, empty=empty)
    findings = class_findings(index, inspected(*made, *("damaged" for _ in broken)))
    return [(one.kind, one.detail) for one in findings]


def test_classes_of_a_size() -> None:
    assert found_in({"cat": FEW_PICTURES, "dog": FEW_PICTURES * IMBALANCE - 1}) == []


def test_small_classes() -> None:
    assert found_in({"cat": FEW_PICTURES - 1, "dog": 30, "lion": 4}) == [
        ("small_class", "cat: 19 pictures to learn from"),
        ("small_class", "lion: 4 pictures to learn from"),
    ]
    assert found_in({"cat": 1, "dog": 5})[0][1] == "cat: 1 picture to learn from"


def test_pictures_that_cannot_be_read_do_not_count() -> None:
    assert found_in({"cat": 19, "dog": 30}, {"cat": 5}) == [
        ("small_class", "cat: 19 pictures to learn from")
    ]
    assert found_in({"dog": 30}, {"cat": 5}) == [
        ("empty_class", "cat: none of its pictures can be read")
    ]


def test_imbalance() -> None:
    assert found_in({"cat": 20, "dog": 200, "lion": 50}) == [
        ("imbalance", "dog has 200 pictures, cat 20: 10 times as many")
    ]


def test_empty_folders() -> None:
    assert found_in({"cat": 20, "dog": 20}, empty=("wolf", "wolf")) == [
        ("empty_class", "wolf: there is no picture in it")
    ]


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"train/cat": 20, "train/dog": 20, "test/cat": 1, "test/dog": 1}, []),
        (
            {"train/cat": 20, "train/dog": 20, "val/cat": 1, "test/dog": 1},
            ["cat: test has no picture of it", "dog: val has no picture of it"],
        ),
        (
            {"train/cat": 20, "val/cat": 1, "test/cat": 1, "val/wolf": 9, "test/wolf": 9},
            ["wolf: it is in val and test and not in train"],
        ),
    ],
)
def test_classes_missing_from_a_part(counts: dict[str, int], expected: list[str]) -> None:
    assert [detail for kind, detail in found_in(counts) if kind == "empty_class"] == expected
    assert {kind for kind, _ in found_in(counts)} <= {"empty_class"}


def test_where_the_folder_is_split_only_train_is_learned_from() -> None:
    counts = {"train/cat": 5, "train/dog": 50, "test/cat": 95, "test/dog": 5}
    assert found_in(counts) == [
        ("small_class", "cat: 5 pictures to learn from"),
        ("imbalance", "dog has 50 pictures, cat 5: 10 times as many"),
    ]


def test_a_part_of_which_nothing_can_be_read() -> None:
    assert found_in({"train/cat": 20}, {"val/cat": 2}) == [
        ("empty_class", "cat: val has no picture of it")
    ]
    assert found_in({"val/cat": 2}, {"train/cat": 20}) == [
        ("empty_class", "cat: it is in val and not in train")
    ]


def test_classes_are_named() -> None:
    index = index_of(*(f"cat/{n}" for n in range(200)), *(f"dog/{n}" for n in range(3)))
    findings = class_findings(index, inspected(*(facts(seed) for seed in range(203))))
    assert [(one.kind, one.classes, one.paths, one.exclude) for one in findings] == [
        ("small_class", ("dog",), (), ()),
        ("imbalance", ("cat", "dog"), (), ()),
    ]


def test_nothing_can_be_read_at_all() -> None:
    assert found_in({}, {"cat": 3}) == [("empty_class", "cat: none of its pictures can be read")]
