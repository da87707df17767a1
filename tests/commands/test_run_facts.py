"""What the pictures of a run are counted as."""

from __future__ import annotations

from dlcli.commands.run_facts import take_census

NAMES = ("cat", "dog", "lion")


def test_census() -> None:
    rows = [
        ("a", "cat", "train", "g1", "1"),
        ("b", "cat", "train", "g1", "1"),
        ("c", "cat", "test", "g2", "2"),
        ("d", "lion", "train", "g3", "3"),
        ("e", "lion", "test", "g3", "4"),
    ]
    census = take_census(rows, NAMES)
    assert census is not None
    assert census.parts == ("train", "test")
    assert [(own.name, own.counts) for own in census.classes] == [
        ("cat", (2, 1)),
        ("dog", (0, 0)),
        ("lion", (1, 1)),
    ]
    assert census.num_images == 5
    found = (census.num_copies, census.num_related, census.num_groups, census.num_straddling)
    assert found == (1, 4, 2, 1)


def test_nothing_to_count() -> None:
    assert take_census([], NAMES) is None
