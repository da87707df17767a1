"""What `explain` says to a person."""

from __future__ import annotations

from dlcli.commands.explain import ExplainedImage
from dlcli.commands.near_pictures import NearPicture
from dlcli.ui.explain_lines import explain_lines

NEAR = tuple(NearPicture(f"train/{n}.jpg", "cat" if n else "lion", 0.9 - n / 10) for n in range(5))


def test_what_it_is_taken_for_the_map_and_the_nearest() -> None:
    image = ExplainedImage("a.jpg", "cat", 0.98, "cat", 0.98, "maps/a.png", "conv", NEAR)
    assert list(explain_lines(image)) == [
        " a.jpg",
        "   cat 0.98",
        "   map      maps/a.png",
        "   nearest  0.90  lion  train/0.jpg",
        "            0.80  cat  train/1.jpg",
        "            0.70  cat  train/2.jpg",
    ]


def test_the_class_that_was_asked_about_is_named() -> None:
    asked = ExplainedImage("a", "cat", 0.98, "dog", 0.01, "m.png", "conv", is_for=False)
    assert list(explain_lines(asked))[1:] == [
        "   cat 0.98",
        "   map      m.png, asked about dog 0.01; nothing in it speaks for that",
    ]


def test_a_picture_without_a_map_or_known_neighbours() -> None:
    image = ExplainedImage("a", "cat", 0.5, "cat", 0.5, nearest=None, unknown=True)
    said = [" a", "   cat 0.50 (unknown: unlike the pictures it was trained on)"]
    assert list(explain_lines(image)) == said


def test_an_error_is_a_line() -> None:
    lines = list(explain_lines(ExplainedImage("a\nb", error="no such file")))
    assert lines == [" a\\nb", "   error: no such file"]
