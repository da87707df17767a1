"""A body on LiteRT."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli.errors import DataError
from dlcli.events import NullReporter
from dlcli.models.bodies import find_body
from dlcli.models.registry import BACKBONES
from dlcli.runtime.litert import LiteRtBody

SIZE = (224, 224)


@pytest.fixture(scope="module")
def path() -> Path:
    return find_body(BACKBONES["efficientnet-lite0"], SIZE, NullReporter()).path


@pytest.fixture(scope="module")
def body(path: Path) -> LiteRtBody:
    return LiteRtBody(path, SIZE)


@pytest.fixture(scope="module")
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (6, *SIZE, 3), np.uint8)


def test_features_are_a_row_of_floats_a_picture(
    body: LiteRtBody, pixels: NDArray[np.uint8]
) -> None:
    features = body.features(pixels)
    assert features.shape == (len(pixels), body.num_features) == (6, 1280)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert len(np.unique(features.round(4), axis=0)) == 6


def test_a_picture_alone_has_the_features_it_has_in_a_batch(
    body: LiteRtBody, pixels: NDArray[np.uint8]
) -> None:
    together = body.features(pixels)
    alone = np.concatenate([body.features(picture[None]) for picture in pixels])
    np.testing.assert_array_equal(alone, together)
    np.testing.assert_array_equal(body.features(pixels[::-1])[::-1], together)


def test_many_threads_at_once_get_the_same_features(
    body: LiteRtBody, pixels: NDArray[np.uint8]
) -> None:
    expected = body.features(pixels)
    rows = [number % len(pixels) for number in range(48)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda row: body.features(pixels[row : row + 1])[0], rows))
    np.testing.assert_array_equal(np.stack(found), expected[rows])


def test_a_picture_that_is_not_in_one_piece_is_read_right(
    body: LiteRtBody, pixels: NDArray[np.uint8]
) -> None:
    mirrored = pixels[:1, :, ::-1]
    np.testing.assert_array_equal(body.features(mirrored), body.features(mirrored.copy()))
    assert np.abs(body.features(mirrored) - body.features(pixels[:1])).max() > 1e-3


def test_no_pictures_have_no_features(body: LiteRtBody, pixels: NDArray[np.uint8]) -> None:
    assert body.features(pixels[:0]).shape == (0, 1280)


@pytest.mark.parametrize(
    "shape", [(1, 32, 32, 3), (1, 224, 225, 3), (224, 224, 3), (1, 224, 224, 4), (1, 224, 224)]
)
def test_pictures_of_another_size_are_refused(body: LiteRtBody, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^the body takes \(224, 224, 3\) pixels, got \("):
        body.features(np.zeros(shape, np.uint8))


def test_a_refused_picture_does_not_spoil_the_next(
    body: LiteRtBody, pixels: NDArray[np.uint8]
) -> None:
    expected = body.features(pixels[:1])
    with pytest.raises(ValueError, match=r"pixels, got \(224, 224, 4\)"):
        body.features(np.zeros((1, *SIZE, 4), np.uint8))
    np.testing.assert_array_equal(body.features(pixels[:1]), expected)


@pytest.mark.parametrize("kept", [0, 1, 100, 0.5])
def test_a_truncated_file_is_a_sentence(path: Path, tmp_path: Path, kept: float) -> None:
    content = path.read_bytes()
    damaged = tmp_path / "body.tflite"
    damaged.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    with pytest.raises(DataError, match=r"body\.tflite: LiteRT cannot load this model: .* again"):
        LiteRtBody(damaged, SIZE)


def test_another_file_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "body.tflite").write_bytes(b"no model at all" * 50)
    with pytest.raises(DataError, match="LiteRT cannot load this model"):
        LiteRtBody(tmp_path / "body.tflite", SIZE)


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="LiteRT cannot load this model"):
        LiteRtBody(tmp_path / "none.tflite", SIZE)


def test_a_body_for_another_size_is_refused(path: Path) -> None:
    with pytest.raises(DataError, match=r"takes \(224, 224, 3\) pixels, .* says \(96, 128, 3\)"):
        LiteRtBody(path, (96, 128))


def write_flattening(path: Path, height: int, width: int, num_channels: int) -> Path:
    """A body of one layer, which gives the pixels as they are: float32 (1, H, W, C) -> (1, HWC)."""
    from ai_edge_litert import schema_py_generated as schema

    shapes = ([1, height, width, num_channels], [1, height * width * num_channels])
    tensors = [schema.TensorT(shape=shape, type=schema.TensorType.FLOAT32) for shape in shapes]
    reshape = schema.OperatorT(
        inputs=[0],
        outputs=[1],
        builtinOptionsType=schema.BuiltinOptions.ReshapeOptions,
        builtinOptions=schema.ReshapeOptionsT(newShape=shapes[1]),
    )
    code = schema.BuiltinOperator.RESHAPE
    model = schema.ModelT(
        version=3,
        operatorCodes=[schema.OperatorCodeT(builtinCode=code, deprecatedBuiltinCode=code)],
        subgraphs=[schema.SubGraphT(tensors=tensors, inputs=[0], outputs=[1], operators=[reshape])],
        buffers=[schema.BufferT()],
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())
    return path


@pytest.mark.parametrize("num_channels", [1, 3])
def test_a_body_takes_as_many_channels_as_it_was_made_for(
    tmp_path: Path, num_channels: int
) -> None:
    path = write_flattening(tmp_path / "body.tflite", 5, 4, num_channels)
    body = LiteRtBody(path, (5, 4), num_channels)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 4, num_channels), np.uint8)
    np.testing.assert_array_equal(body.features(pixels), pixels.reshape(3, -1))


@pytest.mark.parametrize("shape", [(2, 5, 4, 3), (2, 5, 4), (5, 4, 1), (2, 4, 5, 1)])
def test_a_grey_body_refuses_other_pictures(tmp_path: Path, shape: tuple[int, ...]) -> None:
    body = LiteRtBody(write_flattening(tmp_path / "body.tflite", 5, 4, 1), (5, 4), 1)
    with pytest.raises(ValueError, match=r"^the body takes \(5, 4, 1\) pixels, got \("):
        body.features(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(("real", "said"), [(1, 3), (3, 1)])
def test_a_body_for_other_channels_is_refused(tmp_path: Path, real: int, said: int) -> None:
    path = write_flattening(tmp_path / "body.tflite", 5, 4, real)
    message = rf"takes \(5, 4, {real}\) pixels, its model\.json says \(5, 4, {said}\)"
    with pytest.raises(DataError, match=message):
        LiteRtBody(path, (5, 4), said)


def test_a_body_is_for_colours_where_nothing_is_said(tmp_path: Path) -> None:
    path = write_flattening(tmp_path / "body.tflite", 5, 4, 1)
    with pytest.raises(DataError, match=r"model\.json says \(5, 4, 3\)"):
        LiteRtBody(path, (5, 4))


def test_loading_and_running_says_nothing(
    path: Path, pixels: NDArray[np.uint8], capfd: pytest.CaptureFixture[str]
) -> None:
    LiteRtBody(path, SIZE).features(pixels[:1])
    assert capfd.readouterr() == ("", "")
