"""Words for every finding."""

from __future__ import annotations

from dlcli.data.findings import KINDS
from dlcli.ui.finding_words import WORDS


def test_every_kind_has_its_words_in_the_same_order() -> None:
    assert tuple(WORDS) == KINDS


def test_words_are_sentences() -> None:
    for kind in WORDS.values():
        assert kind.meaning.endswith(".")
        assert kind.advice.endswith(".")
        assert kind.title[0].islower()


def test_the_gravest_come_first() -> None:
    order = [("harm", "look", "note").index(kind.gravity) for kind in WORDS.values()]
    assert order == sorted(order)
