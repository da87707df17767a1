"""Features of a grid: where something is seen is told beside what."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlcli import backend


@pytest.fixture(scope="module")
def body() -> Any:
    backend.prepare()
    from dlcli.models.model import build_body

    backend.keras.utils.set_random_seed(0)
    return build_body("efficientnet-lite0", (96, 96))


@pytest.fixture(scope="module")
def on_grid(body: Any) -> Any:
    from dlcli.models.layout import with_layout

    return with_layout(body)


def test_the_bodys_own_features_come_first_and_then_the_means_of_the_cells(
    body: Any, on_grid: Any
) -> None:
    from dlcli.models.blocks import entry_of_last

    pixels = np.random.default_rng(0).uniform(0, 255, (2, 96, 96, 3)).astype(np.float32)
    features = np.asarray(on_grid(pixels))
    assert features.shape == (2, 1280 + 9 * 192)
    np.testing.assert_allclose(features[:, :1280], body(pixels), atol=1e-5)
    inside = np.asarray(backend.keras.Model(body.input, entry_of_last(body, 3))(pixels))
    assert inside.shape == (2, 3, 3, 192)
    np.testing.assert_allclose(features[:, 1280:], inside.reshape(2, -1), atol=1e-5)


def test_cells_share_a_side_that_three_does_not_divide() -> None:
    from dlcli.models.layout import _margins

    assert _margins(7) == [(0, 5), (2, 2), (5, 0)]
    assert _margins(3) == [(0, 2), (1, 1), (2, 0)]


def test_a_picture_that_is_moved_by_a_cell_is_seen_in_the_next_cell(on_grid: Any) -> None:
    pixels = np.full((1, 96, 96, 3), 127, np.float32)
    pixels[:, :32] = np.random.default_rng(0).uniform(0, 255, (1, 32, 96, 3))
    above, below = (
        np.asarray(on_grid(seen))[0, 1280:].reshape(3, -1)
        for seen in (pixels, np.roll(pixels, 64, axis=1))
    )
    assert np.linalg.norm(above[0] - below[2]) < np.linalg.norm(above[0] - below[0])


def test_a_body_without_room_for_a_grid_stays_as_it_is() -> None:
    from dlcli.models.layout import with_layout
    from dlcli.models.model import build_body

    small = build_body("efficientnet-lite0", (64, 64))
    assert with_layout(small) is small
