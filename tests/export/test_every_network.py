"""Every template, and networks of every family: what they are exported as answers as Keras does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.export.every_network import NETWORKS, LivelyNetwork


def test_every_template_is_among_them() -> None:
    assert len(NETWORKS) == 12
    assert len([name for name in NETWORKS if name.endswith(".yaml")]) == 6


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_saved_model_and_litert_answer_as_keras(name: str, tmp_path: Path) -> None:
    network = LivelyNetwork(name)
    assert network.answers.std(axis=0).min() > 0.1, "the pictures are told apart"
    for form in ("saved_model", "litert"):
        written = network.write(form, tmp_path)
        assert written.difference <= 1e-4, form
        assert written.agreement == 1, form
