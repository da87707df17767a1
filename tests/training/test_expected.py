"""How long a training may take."""

from __future__ import annotations

import pytest

from dlcli.training.expected import Work, in_words, scale_of


def test_twice_the_pictures_or_the_arithmetic_takes_about_twice_as_long() -> None:
    once, twice, slower = Work(10_000, 10_000), Work(20_000, 20_000), Work(10_000, 10_000, 2)
    for seconds in (
        lambda work: work.head_seconds,
        lambda work: work.blocks_seconds(8, 2),
        lambda work: work.all_seconds(8),
    ):
        assert 1.5 < seconds(twice) / seconds(once) <= 2
        assert 1.4 < seconds(slower) / seconds(once) <= 2


def test_all_layers_take_longer_than_the_last_blocks_and_these_than_a_head() -> None:
    work = Work(3_000, 4_000)
    assert work.head_seconds < work.blocks_seconds(8, 2) < work.all_seconds(8)


def test_the_scale_follows_the_network_and_the_size_of_the_pictures() -> None:
    assert scale_of(384_000_000, (224, 224), (224, 224)) == pytest.approx(1)
    assert scale_of(768_000_000, (224, 224), (112, 224)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(1, "about 5 s"), (62, "about 60 s"), (100, "about 2 min"), (7200, "about 2 h")],
)
def test_it_is_said_in_words(seconds: float, said: str) -> None:
    assert in_words(seconds) == said
