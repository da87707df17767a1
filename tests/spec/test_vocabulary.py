"""The layer language's words, and the arguments that they take."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from dlcli.spec import vocabulary
from dlcli.spec.arguments import check_arguments
from dlcli.spec.values import MOST_WHOLE, check_value
from dlcli.spec.vocabulary import Argument, Entry
from tests.spec.make_vocabulary import PATH, as_text, make_vocabulary, samples, snake_case

HERE = ("layers", 3)
HUGE = 10**400


def entry(word: str) -> Entry:
    for entries in (vocabulary.layers(), vocabulary.augmentations(), vocabulary.optimizers()):
        found = vocabulary.find(entries, word)
        if found:
            return found
    raise LookupError(word)


def faults(word: str, value: object) -> list[tuple[str, str]]:
    """Each fault as the last part of its place and its sentence."""
    found = check_arguments(entry(word), value, (*HERE, word))[1]
    assert all(fault.location[:2] == HERE for fault in found)
    return [(str(fault.location[-1]), fault.what) for fault in found]


CONV = {"filters": 8, "kernel_size": 3}
GOOD: list[tuple[str, Any, dict[str, Any]]] = [
    ("flatten", None, {}),
    ("flatten", {}, {}),
    ("flatten", {"name": "flat"}, {"name": "flat"}),
    ("max_pooling2d", None, {}),
    ("max_pooling2d", 3, {"pool_size": 3}),
    ("max_pooling2d", [3, 2], {"pool_size": [3, 2]}),
    ("max_pooling2d", {"strides": None}, {"strides": None}),
    ("max_pooling2d", {"strides": "none"}, {"strides": None}),
    ("dropout", 0.5, {"rate": 0.5}),
    ("dropout", 1, {"rate": 1.0}),
    ("dense", 10, {"units": 10}),
    ("activation", "swish", {"activation": "swish"}),
    ("conv2d", CONV, CONV),
    ("conv2d", {**CONV, "padding": "same"}, {**CONV, "padding": "same"}),
    ("conv2d", {**CONV, "activation": None}, {**CONV, "activation": None}),
    ("conv2d", {**CONV, "use_bias": False}, {**CONV, "use_bias": False}),
    ("conv2d", {**CONV, "kernel_size": [3, 5]}, {"filters": 8, "kernel_size": [3, 5]}),
    ("conv1d", {**CONV, "kernel_size": [3]}, {"filters": 8, "kernel_size": [3]}),
    ("conv1d", {**CONV, "padding": "causal"}, {**CONV, "padding": "causal"}),
    ("conv2d", {**CONV, "filters": 8, "groups": 4}, {**CONV, "groups": 4}),
    ("zero_padding2d", 3, {"padding": 3}),
    ("zero_padding2d", [1, 2], {"padding": [1, 2]}),
    ("zero_padding2d", [[1, 2], [0, 4]], {"padding": [[1, 2], [0, 4]]}),
    ("cropping1d", [0, 4], {"cropping": [0, 4]}),
    ("reshape", [4, -1], {"target_shape": [4, -1]}),
    ("permute", [2, 1], {"dims": [2, 1]}),
    ("rescaling", 0.5, {"scale": 0.5}),
    ("rescaling", {"scale": [1, 2.5, 3]}, {"scale": [1.0, 2.5, 3.0]}),
    ("batch_normalization", -1, {"axis": -1}),
    ("layer_normalization", [1, 2], {"axis": [1, 2]}),
    ("group_normalization", -1, {"groups": -1}),
    ("relu", 6, {"max_value": 6.0}),
    ("lstm", {"units": 3, "activation": "none"}, {"units": 3, "activation": None}),
    ("random_flip", "horizontal", {"mode": "horizontal"}),
    ("random_rotation", 0.1, {"factor": 0.1}),
    ("random_rotation", [-0.1, 0.2], {"factor": [-0.1, 0.2]}),
    ("random_posterization", [2, 4], {"factor": [2, 4]}),
    ("sgd", {"momentum": 1, "nesterov": True}, {"momentum": 1.0, "nesterov": True}),
    ("adamw", {"weight_decay": 1e-4}, {"weight_decay": 1e-4}),
]


@pytest.mark.parametrize(("word", "value", "checked"), GOOD, ids=[f"{w}-{v}" for w, v, _ in GOOD])
def test_arguments_come_back_under_the_names_of_keras(
    word: str, value: object, checked: dict[str, Any]
) -> None:
    found, wrong = check_arguments(entry(word), value, HERE)
    assert not wrong
    assert found == checked
    assert list(map(type, found.values())) == list(map(type, checked.values()))


OBJECTS: list[tuple[str, Any, dict[str, Any]]] = [
    ("kernel_initializer", "he_normal", {"class_name": "HeNormal", "config": {}}),
    ("kernel_initializer", "HeNormal", {"class_name": "HeNormal", "config": {}}),
    ("bias_initializer", {"constant": 0.5}, {"class_name": "Constant", "config": {"value": 0.5}}),
    ("kernel_initializer", {"zeros": None}, {"class_name": "Zeros", "config": {}}),
    ("kernel_regularizer", "l2", {"class_name": "L2", "config": {}}),
    ("kernel_regularizer", {"l2": 1e-4}, {"class_name": "L2", "config": {"l2": 1e-4}}),
    ("kernel_regularizer", {"L2": {"l2": 1}}, {"class_name": "L2", "config": {"l2": 1.0}}),
    ("kernel_constraint", {"max_norm": 3}, {"class_name": "MaxNorm", "config": {"max_value": 3.0}}),
    ("bias_constraint", {"unit_norm": [0]}, {"class_name": "UnitNorm", "config": {"axis": [0]}}),
]


@pytest.mark.parametrize(("name", "value", "checked"), OBJECTS)
def test_an_object_of_keras_is_its_class_and_its_configuration(
    name: str, value: object, checked: dict[str, Any]
) -> None:
    found, wrong = check_arguments(entry("dense"), {"units": 4, name: value}, HERE)
    assert not wrong
    assert found == {"units": 4, name: checked}


COUNT, PAIR = "must be a whole number of 1 or more, got", "or a list of 2 of them, got"
EDGES = (
    "must be a whole number of 0 or more, [rows, columns] or [[top, bottom], [left, right]], got"
)
BAD: list[tuple[str, Any, str]] = [
    ("dense", 0, f"{COUNT} 0"),
    ("dense", -3, f"{COUNT} -3"),
    ("dense", 1.0, f"{COUNT} 1.0"),
    ("dense", True, f"{COUNT} True"),
    ("dense", "10", f"{COUNT} '10'"),
    ("dense", [32, 3], f"{COUNT} [32, 3]"),
    ("dense", MOST_WHOLE + 1, "must be 2,147,483,647 or less, got 2147483648"),
    ("dense", None, "needs units"),
    ("dense", {}, "needs units"),
    ("dense", "none", f"{COUNT} 'none'"),
    ("conv2d", None, "needs filters and kernel_size"),
    ("conv2d", 32, "needs kernel_size"),
    ("flatten", 3, "takes no value, got 3"),
    ("dropout", 1.5, "must be a number from 0 to 1, got 1.5"),
    ("dropout", -1, "must be a number from 0 to 1, got -1"),
    ("dropout", False, "must be a number from 0 to 1, got False"),
    ("dropout", math.nan, "must be a finite number, got nan"),
    ("dropout", math.inf, "must be a finite number, got inf"),
    ("dropout", HUGE, f"must be a finite number, got 1{'0' * 59}..."),
    ("gaussian_dropout", 1, "must be a number of 0 or more and less than 1, got 1"),
    ("leaky_relu", -0.1, "must be a number of 0 or more, got -0.1"),
    ("activation", "relo", "must be an activation, got 'relo'. Did you mean relu?"),
    ("activation", "ReLU", "must be an activation, got 'ReLU'. Did you mean relu?"),
    ("activation", "xyz", "must be an activation, got 'xyz'. Known: celu, elu"),
    ("activation", 3, "must be an activation, got 3"),
    ("max_pooling2d", 0, f"must be a whole number of 1 or more, {PAIR} 0"),
    ("max_pooling2d", [2, 2, 2], f"{PAIR} [2, 2, 2]"),
    ("max_pooling2d", [2, "2"], f"{PAIR} [2, '2']"),
    ("max_pooling1d", [2, 2], f"{COUNT} [2, 2]"),
    ("zero_padding2d", -1, f"{EDGES} -1"),
    ("zero_padding2d", [1, [1, 1]], f"{EDGES} [1, [1, 1]]"),
    ("zero_padding2d", [[1, 1], [1]], f"{EDGES} [[1, 1], [1]]"),
    ("zero_padding1d", [1, 2, 3], "must be a whole number of 0 or more, or [left, right], got"),
    ("reshape", [-1, -1], "must be a list of whole numbers of 1 or more, one of which may be -1"),
    ("reshape", 5, "one of which may be -1, got 5"),
    ("permute", [1, 3], "must be a list of the whole numbers from 1 on, each once, got [1, 3]"),
    ("permute", [True], "each once, got [True]"),
    ("batch_normalization", 0, "must be a whole number from -3 to 3 but not 0, the batch, got 0"),
    ("batch_normalization", [1], "but not 0, the batch, got [1]"),
    ("layer_normalization", [], "or a list of them, got []"),
    ("normalization", None, "needs mean and variance"),
    ("rescaling", "1/255", "must be a number, or a list of them, got '1/255'"),
    ("random_flip", "horizontl", "got 'horizontl'. Did you mean horizontal?"),
    ("einsum_dense", {"equation": "ab", "output_shape": 3}, "must be an equation such as"),
    ("random_flip", "up", "must be horizontal, vertical or horizontal_and_vertical, got 'up'"),
    ("random_rotation", 2, "must be a number from -1 to 1, or a list of two, lowest and highest"),
    ("random_zoom", -1, "must be a number of more than -1 and 1 or less, or a list of two"),
    ("random_posterization", 2.5, "must be a whole number from 1 to 8, or a list of two"),
    ("random_gaussian_blur", {"kernel_size": 4}, "must be an odd number of 1 or more, or a list"),
    ("sgd", 2, "must be a number from 0 to 1, got 2"),
]


@pytest.mark.parametrize(("word", "value", "sentence"), BAD)
def test_a_wrong_value_is_a_sentence(word: str, value: object, sentence: str) -> None:
    [(place, what)] = faults(word, value)
    assert what.startswith(sentence) or what.endswith(sentence)
    assert place == (next(iter(value)) if value and isinstance(value, dict) else word)


NAMED: list[tuple[str, dict[Any, Any], str, str]] = [
    ("conv2d", {"kernel_sise": 3}, "kernel_sise", "Did you mean kernel_size?"),
    ("conv2d", {"use_bias": 0}, "use_bias", "must be true or false, got 0"),
    (
        "conv2d",
        {"padding": "smae"},
        "padding",
        "must be valid or same, got 'smae'. Did you mean same?",
    ),
    ("conv2d", {"padding": "causal"}, "padding", "must be valid or same, got 'causal'"),
    ("conv2d", {"name": "a/b"}, "name", "must be a text of letters, digits, _ and -"),
    ("conv2d", {"name": 3}, "name", "must be a text of letters, digits, _ and -"),
    ("conv2d", {"seed": 3}, "seed", "is set by train.seed"),
    ("conv2d", {"data_format": "channels_first"}, "data_format", "is always channels_last"),
    ("conv2d", {"strides": None}, "strides", "or a list of 2 of them, got None"),
    ("conv2d", {7: 1}, "7", "is no argument of Conv2D."),
    ("conv2d", {"groups": 3}, "filters", "must be a multiple of groups, 3, got 8"),
    ("conv2d", {"strides": 2, "dilation_rate": [1, 2]}, "strides", "must not both be more than 1"),
    (
        "conv2d",
        {"kernel_initializer": "he_norml"},
        "kernel_initializer",
        "must be an initializer, got 'he_norml'. Did you mean he_normal?",
    ),
    (
        "conv2d",
        {"kernel_initializer": "identity"},
        "kernel_initializer",
        "must be another one: Identity is for matrices",
    ),
    (
        "conv2d",
        {"bias_initializer": "orthogonal"},
        "bias_initializer",
        "must be another one: Orthogonal is for kernels",
    ),
    ("conv2d", {"bias_initializer": "constant"}, "bias_initializer", "needs value"),
    (
        "conv2d",
        {"kernel_regularizer": 1e-4},
        "kernel_regularizer",
        "must be a regularizer's name or a one-key map",
    ),
    (
        "conv2d",
        {"kernel_regularizer": {"l1": 1, "l2": 1}},
        "kernel_regularizer",
        "or a one-key map with its arguments, got {'l1': 1, 'l2': 1}",
    ),
    ("conv2d", {"kernel_regularizer": {"l2": -1}}, "l2", "must be a number of 0 or more, got -1"),
    ("conv2d", {"kernel_regularizer": {"l2": {"l1": 1}}}, "l1", "is no argument of L2. Known: l2."),
    ("conv2d", {"kernel_regularizer": {"l3": 1}}, "l3", "must be a regularizer, got 'l3'."),
    (
        "conv2d_transpose",
        {"strides": 2, "output_padding": 2},
        "output_padding",
        "must be less than strides, got 2",
    ),
    ("conv2d_transpose", {"dilation_rate": 2}, "dilation_rate", "must be 1 here"),
    (
        "separable_conv2d",
        {"strides": [1, 2]},
        "strides",
        "must be equal for rows and columns here, got [1, 2]",
    ),
]


@pytest.mark.parametrize(("word", "extra", "place", "sentence"), NAMED)
def test_a_wrong_argument_is_named(
    word: str, extra: dict[Any, Any], place: str, sentence: str
) -> None:
    [(found, what)] = faults(word, CONV | extra)
    assert found == place
    assert sentence in what


@pytest.mark.parametrize(
    ("word", "value", "sentence"),
    [
        (
            "resizing",
            {"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True},
            "not both be true",
        ),
        ("normalization", {"mean": [1, 2], "variance": 1}, "must be as long as variance"),
        ("group_normalization", {"groups": 0}, "must be 1 or more, or -1 for each channel alone"),
        ("sgd", {"clipnorm": 1, "clipvalue": 1}, "and clipvalue must not both be given"),
        ("sgd", {"learning_rate": 1}, "is set by train.learning_rate"),
    ],
)
def test_arguments_must_agree(word: str, value: dict[str, Any], sentence: str) -> None:
    size = {"height": 8, "width": 8} if word == "resizing" else {}
    [(_, what)] = faults(word, value | size)
    assert sentence in what


def test_all_faults_are_told_at_once() -> None:
    value = {"filterz": 32, "strides": 0, "activation": "relo", "colour": 1}
    assert faults("conv2d", value) == [
        ("filterz", "is no argument of Conv2D. Did you mean filters?"),
        ("strides", "must be a whole number of 1 or more, or a list of 2 of them, got 0"),
        ("activation", "must be an activation, got 'relo'. Did you mean relu?"),
        ("colour", faults("conv2d", CONV | {"colour": 1})[0][1]),
        ("conv2d", "needs kernel_size"),
    ]


@pytest.mark.parametrize("word", ["max_pooling2d", "MaxPooling2D", "MaxPool2D"])
def test_a_layer_is_found_by_each_of_its_names(word: str) -> None:
    found = vocabulary.find(vocabulary.layers(), word)
    assert found is vocabulary.layers()["max_pooling2d"]


@pytest.mark.parametrize("word", ["maxpooling2d", "MAX_POOLING2D", "max_pool", "", "random_flip"])
def test_a_layer_is_found_by_nothing_else(word: str) -> None:
    assert vocabulary.find(vocabulary.layers(), word) is None


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("convd2", "is no layer: got 'convd2'. Did you mean conv2d?"),
        ("Conv2d", "is no layer: got 'Conv2d'. Did you mean conv2d?"),
        ("maxpool2d", "is no layer: got 'maxpool2d'. Did you mean max_pooling2d?"),
        ("batchnorm", "is no layer: got 'batchnorm'. Did you mean batch_normalization?"),
        ("LeakyRelu", "is no layer: got 'LeakyRelu'. Did you mean leaky_relu?"),
        ("qqq", "is no layer: got 'qqq'. Known: activation, "),
        ("random_flip", "is an augmentation: it belongs under augment, which never reaches the"),
        ("RandAugment", "is an augmentation: it belongs under augment, which never reaches the"),
        ("lambda", "runs code or reads files, and a spec must do neither"),
        ("Lambda", "runs code or reads files, and a spec must do neither"),
        ("tfsm_layer", "runs code or reads files, and a spec must do neither"),
        ("add", "joins several tensors: use branches with merge: concatenate or merge: add"),
        ("Concatenate", "joins several tensors: use branches with merge: concatenate or merge"),
        ("time_distributed", "wraps another layer, and an item of a list is one: write that"),
        ("input", "is added by dlcli: the list begins behind it"),
        ("multi_head_attention", "takes several tensors, and a list hands on one"),
        ("conv3d", "takes volumes or films, and a classifier has pictures"),
        ("mix_up", "mixes pictures and their labels: say train.mix"),
        ("text_vectorization", "takes words or whole numbers, and a classifier has pictures"),
    ],
)
def test_what_is_no_layer_is_told_why(word: str, sentence: str) -> None:
    assert vocabulary.unknown_layer(word).startswith(sentence)


@pytest.mark.parametrize(
    ("keras_name", "name"),
    [
        ("ReLU", "relu"),
        ("PReLU", "prelu"),
        ("LeakyReLU", "leaky_relu"),
        ("ELU", "elu"),
        ("Conv2DTranspose", "conv2d_transpose"),
        ("GlobalAveragePooling2D", "global_average_pooling2d"),
        ("UpSampling2D", "up_sampling2d"),
        ("ConvLSTM1D", "conv_lstm1d"),
        ("RMSNormalization", "rms_normalization"),
        ("RMSprop", "rmsprop"),
        ("ScheduleFreeAdamW", "schedule_free_adamw"),
        ("SGD", "sgd"),
        ("L1L2", "l1_l2"),
    ],
)
def test_names_of_keras_are_written_in_snake_case(keras_name: str, name: str) -> None:
    assert snake_case(keras_name) == name


def test_reading_the_vocabulary_imports_no_framework() -> None:
    program = (
        "import sys; from dlcli.spec import arguments, vocabulary; vocabulary.layers();"
        "sys.exit(any(name in sys.modules for name in ('keras', 'tensorflow', 'pydantic')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.fixture(scope="module")
def keras() -> Any:
    from dlcli import backend

    backend.prepare()
    return backend.keras


@pytest.mark.slow
def test_the_vocabulary_is_that_of_the_installed_keras(keras: Any) -> None:  # noqa: ARG001
    assert as_text(make_vocabulary()) == PATH.read_text(encoding="utf-8")


def layers_and_augmentations() -> list[Entry]:
    return [*vocabulary.layers().values(), *vocabulary.augmentations().values()]


def least_arguments(found: Entry) -> list[dict[str, Any]]:
    required = {
        name: {"type": argument.type, "required": argument.required}
        for name, argument in found.arguments.items()
    }
    return samples(found.keras, {"arguments": required})


def extremes(argument: Argument) -> list[Any]:
    """The ends of an argument's range, its choices, and nothing where it may be empty."""
    if argument.type in ("activation", "axes", "axis", "int", "letters", "name", "weight_axes"):
        return []
    if argument.type == "bool":
        return [True, False]
    ends = [end for end in (argument.least, argument.most) if end is not None]
    empty = [None] if argument.default is None and not argument.required else []
    return [*ends, *argument.choices, *empty]


def all_least_and_extreme(found: Entry) -> Iterator[dict[str, Any]]:
    for least in least_arguments(found):
        yield least
        for name, argument in found.arguments.items():
            yield from (least | {name: value} for value in extremes(argument))


@pytest.mark.slow
def test_keras_builds_every_layer_as_checked_and_runs_it(keras: Any) -> None:
    seen = 0
    for found in layers_and_augmentations():
        kind = getattr(keras.layers, found.keras)
        for arguments in all_least_and_extreme(found):
            checked, wrong = check_arguments(found, arguments, HERE)
            assert not wrong, (found.name, arguments, wrong)
            assert runs(kind, checked, found.ranks), (found.name, arguments)
            seen += 1
    assert seen > 500


def runs(kind: Any, arguments: dict[str, Any], ranks: tuple[int, ...]) -> bool:
    """Whether a layer trains on tensors of one of `ranks` at least."""
    import numpy as np

    channels = 3 if ".image_preprocessing." in kind.__module__ else 64
    for rank in ranks:
        shape = (*(2, 32, 32, 32)[: rank - 1], channels)
        layer = kind(**arguments)
        training = {"training": True} if layer._call_has_training_arg else {}
        try:
            layer(np.random.default_rng(0).uniform(0, 255, shape).astype("float32"), **training)
        except (IndexError, ValueError):  # permute and einsum_dense are for one rank at a time
            continue
        return True
    return False


@pytest.mark.slow
def test_keras_takes_every_optimizer_and_object_as_checked(keras: Any) -> None:
    seen = 0
    for section in ("optimizers", "initializers", "regularizers", "constraints"):
        module = getattr(keras, section)
        for found in getattr(vocabulary, section)().values():
            for arguments in all_least_and_extreme(found):
                checked, wrong = check_arguments(found, arguments, HERE)
                assert not wrong, (found.name, arguments, wrong)
                assert getattr(module, found.keras)(**checked) is not None
                if section != "optimizers":  # Keras forgot Lamb there
                    assert module.get({"class_name": found.keras, "config": checked}) is not None
                seen += 1
    assert seen > 150


def test_every_default_is_a_value_of_its_argument() -> None:
    seen = 0
    for found in [*layers_and_augmentations(), *vocabulary.optimizers().values()]:
        for argument in found.arguments.values():
            objects = ("initializer", "regularizer", "constraint")
            if argument.default is not None and argument.type not in objects:
                assert check_value(argument, argument.default) == argument.default
                seen += 1
    assert seen > 200


JUNK = [None, True, 0, -1, HUGE, 0.5, math.nan, -math.inf, "", "none", "a" * 99, [], [None], [[]]]
JUNK += [{}, {"": None}, {"l2": []}, {"l1": 1, "l2": 2}, {7: 7}, {None: None}, [1, [2]], [{}, {}]]


def test_no_value_is_more_than_a_fault() -> None:
    seen = 0
    for found in [*layers_and_augmentations(), *vocabulary.optimizers().values()]:
        for value in JUNK:
            each = [{name: value} for name in found.arguments]
            for given in [
                value,
                *each,
                *(least | more for least in least_arguments(found) for more in each),
            ]:
                checked, wrong = check_arguments(found, given, HERE)
                assert isinstance(checked, dict)
                assert all(fault.what for fault in wrong)
                seen += 1
    assert seen > 10_000
