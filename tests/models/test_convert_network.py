"""Networks that LiteRT cannot take are refused before they are trained."""

from __future__ import annotations

from typing import Any

import pytest

from dlcli import backend
from dlcli.errors import ResourceError


@pytest.fixture(scope="module")
def keras() -> Any:
    backend.prepare()
    from dlcli.backend import keras

    return keras


def body_of(keras: Any, layer: Any) -> Any:
    pixels = keras.Input((8, 8, 3))
    return keras.Model(pixels, keras.layers.Flatten()(layer(pixels)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("interpolation", "operation"),
    [("bicubic", "ResizeBicubic"), ("lanczos3", "ScaleAndTranslate")],
)
def test_an_operation_that_litert_lacks_is_named(
    interpolation: str, operation: str, keras: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    from dlcli.models.convert_network import require_convertible

    layer = keras.layers.Resizing(4, 4, interpolation=interpolation)
    with pytest.raises(ResourceError, match=rf"LiteRT has no operation for .*: {operation}\."):
        require_convertible(body_of(keras, layer))
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_an_unusual_layer_that_litert_knows_passes(keras: Any) -> None:
    from dlcli.models.convert_network import require_convertible

    require_convertible(body_of(keras, keras.layers.Resizing(4, 4)))
