"""A body of LiteRT with a head behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli.events import NullReporter
from dlcli.export.litert import append_head
from dlcli.models.bodies import find_body
from dlcli.models.registry import BACKBONES
from dlcli.runtime.head import Head
from dlcli.runtime.litert import LiteRtBody
from tests.runtime.test_litert import write_flattening

SIZE = (224, 224)


def open_model(content: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=content)


def ask(content: bytes, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """All pictures at once."""
    interpreter = open_model(content)
    source = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(source, pixels.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(source, pixels.astype(np.float32))
    interpreter.invoke()
    answers: NDArray[np.float32] = interpreter.get_tensor(
        interpreter.get_output_details()[0]["index"]
    )
    return answers


def make_head(num_features: int, num_classes: int, temperature: float) -> Head:
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.1, (num_features, num_classes)).astype(np.float32)
    return Head(weights, rng.normal(size=num_classes).astype(np.float32), temperature)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_it_answers_as_the_head_does_on_the_features(tmp_path: Path, temperature: float) -> None:
    path = write_flattening(tmp_path / "body.tflite", 3, 2, 3)
    pixels = np.random.default_rng(1).integers(0, 30, (1, 3, 2, 3), np.uint8)
    head = make_head(18, 4, temperature)
    found = ask(append_head(path.read_bytes(), head), pixels)
    expected = head.probabilities(pixels.reshape(1, 18).astype(np.float32))
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_converted_body_keeps_its_weights_its_input_and_its_batches() -> None:
    kept = find_body(BACKBONES["efficientnet-lite0"], SIZE, NullReporter())
    body, head = kept.path.read_bytes(), make_head(1280, 3, 1.5)
    joined = append_head(body, head)
    assert 0 < len(joined) - len(body) - 4 * head.size < 2000
    assert open_model(joined).get_signature_list() == {
        "serving_default": {"inputs": ["pixels"], "outputs": ["output_0"]}
    }
    pixels = np.random.default_rng(2).integers(0, 256, (3, *SIZE, 3), np.uint8)
    expected = head.probabilities(LiteRtBody(kept.path, SIZE).features(pixels))
    assert np.ptp(expected, axis=0).max() > 1e-3
    np.testing.assert_allclose(ask(joined, pixels), expected, atol=1e-5)
