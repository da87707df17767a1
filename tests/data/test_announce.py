"""What the user hears about a data set; what is said of whole ones is in test_dataset.py."""

from __future__ import annotations

import pytest

from dlcli.data.announce import list_skipped
from dlcli.data.index import SkippedFile


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, ""),
        (1, "0.png (broken)"),
        (3, "0.png (broken), 1.png (broken), 2.png (broken)"),
        (5, "0.png (broken), 1.png (broken), 2.png (broken), and 2 more"),
    ],
)
def test_skipped_files_are_listed_briefly(count: int, text: str) -> None:
    assert list_skipped([SkippedFile(f"{number}.png", "broken") for number in range(count)]) == text
