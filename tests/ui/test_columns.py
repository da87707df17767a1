"""Text in columns."""

from __future__ import annotations

import pytest

from dlcli.ui.columns import fit, width_of, wrapped


@pytest.mark.parametrize(
    ("text", "width"),
    [("cat", 3), ("大熊猫", 6), ("e\u0301", 1), ("", 0), ("a\u200db", 2), ("ﾈｺ", 2)],
)
def test_widths(text: str, width: int) -> None:
    assert width_of(text) == width


@pytest.mark.parametrize(
    ("text", "fitted"),
    [
        ("cat", "cat       "),
        ("elephants!", "elephants!"),
        ("photos of elephants", "photo…ants"),
        ("大熊猫和小熊猫", "大熊…熊猫 "),
    ],
)
def test_a_text_fits_its_column(text: str, fitted: str) -> None:
    assert fit(text, 10) == fitted
    assert width_of(fitted) == 10


@pytest.mark.parametrize("word", ["word", "大熊猫"])
def test_lines_are_broken_between_words(word: str) -> None:
    lines = list(wrapped(f"{word} " * 30))
    assert all(80 - width_of(word) <= width_of(line) + 1 <= 81 for line in lines[:-1])
    assert lines[0].startswith(f" {word}")
    assert lines[1].startswith(f"   {word}")
    assert " ".join(lines).split() == [word] * 30


def test_a_long_word_stays_whole() -> None:
    assert list(wrapped("x" * 100)) == [" " + "x" * 100]
    assert list(wrapped(f"a {'x' * 100} b")) == [" a", "   " + "x" * 100, "   b"]
