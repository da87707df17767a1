"""Bodies quantised to int8, against the float32 body of the same weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from dlcli.artifact import sha256_of
from dlcli.errors import DataError
from dlcli.events import NullReporter, StageEnded
from dlcli.models.bodies import KeptBody, find_body, num_calibrated
from dlcli.models.convert_body import agreement_of
from dlcli.models.registry import BACKBONES
from dlcli.runtime.litert import LiteRtBody
from tests.conftest import ROOT, Recorder

BACKBONE = BACKBONES["efficientnet-lite0"]
SIZE = (96, 96)


@pytest.fixture(scope="module")
def drawings() -> NDArray[np.uint8]:
    files = sorted((ROOT / "sample_data" / "animals").glob("*/*"))[::4]
    pictures = [Image.open(file).convert("RGB").resize(SIZE) for file in files]
    return np.stack([np.asarray(picture) for picture in pictures])


@pytest.fixture(scope="module")
def float32() -> KeptBody:
    return find_body(BACKBONE, SIZE, NullReporter())


@pytest.fixture(scope="module")
def int8(drawings: NDArray[np.uint8]) -> KeptBody:
    return find_body(BACKBONE, SIZE, NullReporter(), calibration=drawings[:20])


@pytest.fixture(scope="module")
def tensors(int8: KeptBody) -> list[dict[str, Any]]:
    """What every operation takes and gives; without XNNPACK, which hides what it runs."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(str(int8.path), experimental_op_resolver_type=plain)
    details = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    return [
        {
            "name": operation["op_name"],
            "inputs": [details[number] for number in operation["inputs"]],
            "outputs": [details[number] for number in operation["outputs"]],
        }
        for operation in interpreter._get_ops_details()
    ]


def test_it_is_a_third_of_the_size(int8: KeptBody, float32: KeptBody) -> None:
    assert int8.path.stat().st_size < 0.33 * float32.path.stat().st_size


def test_all_of_it_computes_in_int8_between_float32_edges(tensors: list[dict[str, Any]]) -> None:
    first, *inner, last = tensors
    assert (first["name"], last["name"]) == ("QUANTIZE", "DEQUANTIZE")
    assert first["inputs"][0]["dtype"] is last["outputs"][0]["dtype"] is np.float32
    assert len(inner) > 50
    assert {one["outputs"][0]["dtype"] for one in inner} == {np.int8}
    kernels = [one["inputs"][1] for one in inner if "CONV_2D" in one["name"]]
    assert {kernel["dtype"] for kernel in kernels} == {np.int8}


def test_weights_have_a_scale_for_each_channel(tensors: list[dict[str, Any]]) -> None:
    convolutions = [one for one in tensors if one["name"] == "CONV_2D"]
    assert len(convolutions) == 33
    for one in convolutions:
        scales = one["inputs"][1]["quantization_parameters"]["scales"]
        assert len(scales) == one["outputs"][0]["shape"][-1]


def test_it_tells_pictures_apart_as_float32_does(
    int8: KeptBody, float32: KeptBody, drawings: NDArray[np.uint8]
) -> None:
    found, expected = (
        LiteRtBody(kept.path, SIZE).features(drawings[20:]) for kept in (int8, float32)
    )
    assert len(found) >= 10
    assert 0.9 < agreement_of(found, expected) < 1
    assert np.abs(found - expected).max() > 1e-3


def test_a_picture_alone_has_the_features_it_has_in_a_batch(
    int8: KeptBody, drawings: NDArray[np.uint8]
) -> None:
    body = LiteRtBody(int8.path, SIZE)
    together = body.features(drawings[:6])
    alone = np.concatenate([body.features(picture[None]) for picture in drawings[:6]])
    np.testing.assert_array_equal(alone, together)
    np.testing.assert_array_equal(LiteRtBody(int8.path, SIZE).features(drawings[:6]), together)


def test_it_is_kept_apart_from_bodies_that_serve_all(int8: KeptBody, cache: Path) -> None:
    assert int8.path.is_relative_to(cache / "int8-bodies")
    assert {file.name for file in int8.path.parent.iterdir()} == {"body.tflite", "body.json"}
    facts = json.loads((int8.path.parent / "body.json").read_text())
    assert facts["sha256"] == int8.sha256 == sha256_of(int8.path)
    assert 0.9 < facts["agreement"] < 1
    assert int8.keras_path is None


def test_the_same_pictures_quantise_nothing_anew(
    int8: KeptBody, drawings: NDArray[np.uint8]
) -> None:
    recorder = Recorder()
    assert find_body(BACKBONE, SIZE, recorder, calibration=drawings[:20].copy()) == int8
    assert recorder.events == []


@pytest.mark.slow
def test_other_pictures_give_another_body_and_its_agreement_is_told(
    int8: KeptBody, drawings: NDArray[np.uint8]
) -> None:
    recorder = Recorder()
    other = find_body(BACKBONE, SIZE, recorder, calibration=drawings[20:24])
    assert other.path.parent != int8.path.parent
    assert other.sha256 != int8.sha256
    [ended] = [event for event in recorder.events if isinstance(event, StageEnded)]
    facts = json.loads((other.path.parent / "body.json").read_text())
    assert ended.detail == f"its features agree to {facts['agreement']:.3f} with float32"


@pytest.mark.slow
def test_pictures_that_teach_no_range_are_refused(own_cache: Path) -> None:
    black = np.zeros((3, *SIZE, 3), np.uint8)
    with pytest.raises(DataError, match=r"efficientnet-lite0 sees .*Leave model\.body float32\."):
        find_body(BACKBONE, SIZE, NullReporter(), calibration=black)
    assert list((own_cache / "int8-bodies").iterdir()) == []


@pytest.mark.slow
def test_a_body_of_a_weight_file_lies_beside_its_float32_network(
    tmp_path: Path, int8: KeptBody, drawings: NDArray[np.uint8]
) -> None:
    from dlcli import backend

    backend.prepare()
    from dlcli.models.model import load_body

    network = load_body(BACKBONE.name, SIZE)
    network.save_weights(tmp_path / "own.weights.h5")
    file = tmp_path / "own.weights.h5"
    kept = find_body(BACKBONE, SIZE, NullReporter(), file, drawings[:20])
    assert kept.sha256 == int8.sha256  # the same weights, pictures and ranges
    assert kept.path != int8.path
    assert kept.keras_path is not None
    saved = backend.keras.saving.load_model(kept.keras_path, safe_mode=True)
    pixels = drawings[:2].astype(np.float32)
    np.testing.assert_array_equal(saved.predict_on_batch(pixels), network.predict_on_batch(pixels))


@pytest.mark.slow
def test_a_network_that_int8_does_not_suit_is_refused(
    tmp_path: Path, own_cache: Path, drawings: NDArray[np.uint8]
) -> None:
    """One of random weights, to which all pictures look alike."""
    from dlcli import backend

    backend.prepare()
    from tests.models import networks

    file = networks.write_legacy(networks.keras_network("mobilenet"), tmp_path / "own.h5")
    with pytest.raises(DataError, match=r"an int8 mobilenet sees .* agree to -?0\.\d\d, and 0\.8"):
        find_body(BACKBONES["mobilenet"], (32, 32), NullReporter(), file, drawings[:20, ::3, ::3])
    assert list((own_cache / "int8-bodies").iterdir()) == []


def test_fewer_pictures_calibrate_a_slow_network() -> None:
    assert (num_calibrated(BACKBONE), num_calibrated(BACKBONES["vgg16"])) == (200, 50)


def test_agreement_is_about_the_differences_between_pictures() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(50, 30)).astype(np.float32)
    assert agreement_of(features, features) == pytest.approx(1, abs=1e-6)
    shifted = 3 * features + rng.normal(size=30).astype(np.float32)
    assert agreement_of(shifted, features) == pytest.approx(1, abs=1e-5)
    assert agreement_of(-features, features) == pytest.approx(-1, abs=1e-6)
    noise = rng.normal(size=(50, 30)).astype(np.float32)
    assert abs(agreement_of(noise + 9, features + 9)) < 0.15
    assert 0.5 < agreement_of(features + noise, features) < 0.9


def test_a_body_that_sees_no_difference_agrees_with_nothing() -> None:
    features = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    assert agreement_of(np.ones_like(features), features) == 0
