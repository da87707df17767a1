"""The installed Keras -> dlcli/spec/vocabulary.json: `python -m tests.spec.make_vocabulary`.

A class or an argument that it has no rule for is an error, so that a new Keras is noticed.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import dlcli.spec

PATH = Path(dlcli.spec.__file__).with_name("vocabulary.json")

REFUSED = {
    "boxes": "MaxNumBoundingBoxes",
    "code": "FlaxLayer JaxLayer Lambda TFSMLayer TorchModuleWrapper",
    # Keras applies these while answering too: in a training network, but not in the saved one.
    "fixed": "AutoContrast ContrastLimitedAdaptiveHistogramEqualization Equalization",
    "input": "Input InputLayer InputSpec",
    "inputs": "AdditiveAttention Attention GroupQueryAttention GroupedQueryAttention "
    "MultiHeadAttention",
    "labels": "CutMix MixUp",
    "merge": "Add Average Concatenate Dot Maximum Minimum Multiply Subtract",
    "sound": "MelSpectrogram STFTSpectrogram",
    "text": "CategoryEncoding Discretization Embedding HashedCrossing Hashing IntegerLookup "
    "ReversibleEmbedding StringLookup TextVectorization",
    "volume": "AdaptiveAveragePooling3D AdaptiveMaxPooling3D AveragePooling3D AvgPool3D Conv3D "
    "Conv3DTranspose ConvLSTM2D ConvLSTM3D Convolution3D Convolution3DTranspose Cropping3D "
    "GlobalAveragePooling3D GlobalAvgPool3D GlobalMaxPool3D GlobalMaxPooling3D MaxPool3D "
    "MaxPooling3D SpatialDropout3D UpSampling3D ZeroPadding3D",
    "wrapper": "Bidirectional GRUCell LSTMCell Layer Pipeline RNN SimpleRNNCell "
    "SpectralNormalization StackedRNNCells TimeDistributed Wrapper",
}
LEFT_OUT = {
    "constraints": "Constraint",
    "initializers": "Initializer STFT",
    # A schedule-free optimizer keeps two sets of weights, and the best epoch's would be the wrong.
    "optimizers": "LossScaleOptimizer MultiOptimizer Optimizer OptimizerMap ScheduleFreeAdamW",
    "regularizers": "Regularizer",
}
NO_ARGUMENTS = {
    "set by dlcli": "autocast bounding_box_format data_format dtype gradient_accumulation_steps "
    "learning_rate loss_scale_factor name seed trainable value_range use_ema ema_momentum "
    "ema_overwrite_frequency",
    "more than one tensor, or a batch size that stands": "return_state stateful",
    "a shape that must fit the batch: see SpatialDropout": "noise_shape",
    "for trained or quantised networks": "gptq_unpacked_column_size lora_alpha lora_rank "
    "quantization_config",
    "a map, a list of patterns, axes of a kernel's own, a choice of program": "renorm_clipping "
    "exclude_layers input_axes output_axes use_cudnn",
}

COUNT = {"type": "count"}
SIZE = {"type": "size"}
SHARE = {"type": "share"}
NUMBER = {"type": "number"}
NOT_NEGATIVE = {"type": "number", "least": 0}
POSITIVE = {"type": "number", "above": 0}
BELOW_ONE = {"type": "number", "least": 0, "below": 1}
AXIS = {"type": "axis", "least": -3, "most": 3}
AXES = {"type": "axes", "least": -3, "most": 3}
FACTOR = {"type": "factor", "least": 0, "most": 1}
SIGNED_FACTOR = {"type": "factor", "least": -1, "most": 1}
AFFINE = ["nearest", "bilinear"]
EDGES = ["constant", "nearest", "wrap", "reflect"]


def _named(names: str, rule: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return dict.fromkeys(names.split(), rule)


def _choice(*choices: str) -> dict[str, Any]:
    return {"type": "choice", "choices": list(choices)}


BY_NAME: dict[str, dict[str, Any]] = {
    **_named("bins chain_depth depth_multiplier filters groups height n num_chains num_ops", COUNT),
    **_named("ema_overwrite_frequency ns_steps units width", COUNT),
    **_named("dilation_rate kernel_size output_size pool_size size strides tile_grid_size", SIZE),
    **_named("dropout ema_momentum momentum recurrent_dropout renorm_momentum rho stddev", SHARE),
    **_named("adam_beta_1 adam_beta_2 beta_1 beta_2 rate", BELOW_ONE),
    **_named("adam_weight_decay epsilon epsilon_1 epsilon_2 factor l1 l2", NOT_NEGATIVE),
    **_named("l1_regularization_strength l2_regularization_strength", NOT_NEGATIVE),
    **_named("beta initial_accumulator_value l2_shrinkage_regularization_strength", NOT_NEGATIVE),
    **_named("max_value min_value negative_slope threshold weight_decay", NOT_NEGATIVE),
    **_named("adam_lr_ratio alpha clip_limit clip_threshold clipnorm clipvalue", POSITIVE),
    **_named("global_clipnorm rms_rate", POSITIVE),
    **_named("beta_2_decay fill_value gain mask_value maxval mean minval muon_a muon_b", NUMBER),
    **_named("muon_c value", NUMBER),
    **_named("activation recurrent_activation", {"type": "activation"}),
    **_named("height_factor width_factor brightness_factor", SIGNED_FACTOR),
    **_named("addition_factor contrast_factor hue_factor saturation_factor sigma", FACTOR),
    **_named("threshold_factor x_factor y_factor", FACTOR),
    "axis": AXIS,
    "bias_axes": {"type": "letters"},
    "cropping": {"type": "padding"},
    "dims": {"type": "order"},
    "distribution": _choice("truncated_normal", "untruncated_normal", "uniform"),
    "equation": {"type": "equation"},
    "fill_mode": _choice(*EDGES),
    "interpolation": _choice(*AFFINE),
    "learning_rate_power": {"type": "number", "most": 0},
    "offset": {"type": "numbers"},
    "output_padding": {"type": "size", "least": 0},
    "output_shape": {"type": "open_shape"},
    "padding": _choice("valid", "same"),
    "shared_axes": {"type": "axes", "least": 1, "most": 3},
    "target_shape": {"type": "shape"},
    "warmup_steps": {"type": "int", "least": 0},
}
BY_CLASS: dict[str, dict[str, dict[str, Any]]] = {
    # To one place TensorFlow ends the process on some processors (a division by zero, with Keras
    # 3.15): global_max_pooling gives the same.
    "AdaptiveMaxPooling1D": {"output_size": {"type": "size1", "required": True, "least": 2}},
    "AdaptiveMaxPooling2D": {"output_size": {"type": "size2", "required": True, "least": 2}},
    "Adafactor": {"beta_2_decay": {"type": "number", "below": 0}},
    "AugMix": {"factor": FACTOR},
    "Constant": {"value": {"type": "number", "required": True}},  # its from_config asks for it
    "Conv1D": {"padding": _choice("valid", "same", "causal")},
    "ConvLSTM1D": {"dropout": BELOW_ONE, "recurrent_dropout": BELOW_ONE},
    "ContrastLimitedAdaptiveHistogramEqualization": {
        "tile_grid_size": {"type": "tiles", "least": 1, "most": 32}  # more tiles than rows fail
    },
    "Dropout": {"rate": SHARE},
    "ELU": {"alpha": NUMBER},
    "Equalization": {"bins": {"type": "int", "least": 2}},
    "GroupNormalization": {"axis": AXIS, "groups": {"type": "int", "least": -1}},
    "LayerNormalization": {"axis": AXES},
    "Lion": {"beta_1": {"type": "number", "above": 0, "most": 1}},
    "MaxNorm": {"axis": {"type": "weight_axes", "least": -4, "most": 3}},
    "MinMaxNorm": {"axis": {"type": "weight_axes", "least": -4, "most": 3}, "rate": SHARE},
    "Normalization": {  # without them it would have to see the training pictures first
        "axis": AXES,
        "mean": {"type": "numbers", "required": True},
        "variance": {"type": "numbers", "required": True, "least": 0},
    },
    "OrthogonalRegularizer": {"mode": _choice("rows", "columns")},
    "RandAugment": {"factor": FACTOR},
    "RandomBrightness": {"factor": SIGNED_FACTOR},
    "RandomColorDegeneration": {"factor": FACTOR},
    "RandomContrast": {"factor": FACTOR},
    "RandomElasticTransform": {"factor": FACTOR, "scale": FACTOR},  # its mirror fails when run
    "RandomErasing": {"factor": FACTOR, "scale": FACTOR},
    "RandomFlip": {"mode": _choice("horizontal", "vertical", "horizontal_and_vertical")},
    "RandomGaussianBlur": {"factor": FACTOR, "kernel_size": {"type": "odd_size2"}},
    "RandomGrayscale": {"factor": SHARE},
    "RandomHue": {"factor": FACTOR},
    "RandomInvert": {"factor": FACTOR},
    "RandomNormal": {"stddev": NOT_NEGATIVE},
    "RandomPerspective": {"factor": FACTOR, "scale": SHARE},
    "RandomPosterization": {"factor": {"type": "whole_factor", "least": 1, "most": 8}},
    "RandomRotation": {"factor": SIGNED_FACTOR},
    "RandomSaturation": {"factor": FACTOR},
    "RandomSharpness": {"factor": FACTOR},
    "RandomZoom": {
        "height_factor": {"type": "factor", "above": -1, "most": 1},
        "width_factor": {"type": "factor", "above": -1, "most": 1},
    },
    "Rescaling": {"scale": {"type": "numbers"}},
    "Resizing": {
        "fill_mode": _choice("constant"),
        "interpolation": _choice(*AFFINE, "bicubic", "lanczos3", "lanczos5", "area"),
    },
    "Softmax": {"axis": AXES},
    "SpatialDropout1D": {"rate": SHARE},
    "SpatialDropout2D": {"rate": SHARE},
    "TruncatedNormal": {"stddev": NOT_NEGATIVE},
    "UnitNorm": {"axis": {"type": "weight_axes", "least": -4, "most": 3}},
    "UnitNormalization": {"axis": AXES},
    "UpSampling1D": {"size": COUNT},  # no list, though its sister takes one
    "UpSampling2D": {"interpolation": _choice(*AFFINE, "bicubic", "lanczos3", "lanczos5")},
    "VarianceScaling": {"mode": _choice("fan_in", "fan_out", "fan_avg"), "scale": POSITIVE},
    "ZeroPadding1D": {"padding": {"type": "padding"}},
    "ZeroPadding2D": {"padding": {"type": "padding"}},
}
SAMPLES: dict[str, Any] = {
    "activation": "relu",
    "axes": -1,
    "axis": -1,
    "count": 2,
    "factor": 0.2,
    "number": 0.5,
    "numbers": 0.5,
    "share": 0.5,
    "size1": 2,
    "size2": 2,
    "whole_factor": 4,
}
SAMPLES_BY_CLASS: dict[str, list[dict[str, Any]]] = {
    "EinsumDense": [
        {"equation": "ab,bc->ac", "output_shape": 8},
        {"equation": "abc,cd->abd", "output_shape": [None, 8]},
        {"equation": "abcd,de->abce", "output_shape": [None, None, 8]},
    ],
    "Permute": [{"dims": [1]}, {"dims": [2, 1]}, {"dims": [3, 1, 2]}],
    "Reshape": [{"target_shape": [-1]}],
}
SHAPES = {2: (2, 64), 3: (2, 16, 64), 4: (2, 16, 16, 64)}


def make_vocabulary() -> dict[str, Any]:
    """What vocabulary.json holds, from the installed Keras."""
    from dlcli.backend import keras

    found: dict[str, Any] = {
        "activations": _activations(keras),
        "augmentations": {},
        "layers": {},
        "refused": {},
    }
    refused = {name: why for why, names in REFUSED.items() for name in names.split()}
    for kind, names in _classes(keras.layers):
        if refused.keys() & names:
            found["refused"] |= {_plain(name): refused[name] for name in names}
            continue
        augments = _is_image_layer(kind) and kind.__name__ not in ("CenterCrop", "Resizing")
        entry = _entry(kind, names)
        entry["arguments"]["name"] = {"type": "name", "default": None}
        entry["ranks"] = [4] if _is_image_layer(kind) else _ranks(kind, entry)
        entry["arguments"] = entry.pop("arguments")
        found["augmentations" if augments else "layers"][snake_case(kind.__name__)] = entry
    found["refused"]["input"] = "input"
    for section, left_out in LEFT_OUT.items():
        known = getattr(keras.src, section).ALL_OBJECTS_DICT if section != "optimizers" else {}
        found[section] = {}
        for kind, names in _classes(getattr(keras, section)):
            if kind.__name__ not in left_out.split():
                names |= {name for name, other in known.items() if other is kind}
                found[section][snake_case(kind.__name__)] = _entry(kind, names)
    return found


def _classes(module: Any) -> Iterator[tuple[type, set[str]]]:
    """Each class of a Keras module with its names there."""
    names: dict[type, set[str]] = {}
    for name, kind in vars(module).items():
        if inspect.isclass(kind):
            names.setdefault(kind, set()).add(name)
    yield from names.items()


def _is_image_layer(kind: type) -> bool:
    return ".image_preprocessing." in kind.__module__


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def snake_case(name: str) -> str:
    """Conv2DTranspose -> conv2d_transpose, LeakyReLU -> leaky_relu, AdamW -> adamw."""
    for word in ("AdamW", "PReLU", "ReLU", "RMSprop"):
        name = name.replace(word, word.capitalize())
    name = re.sub(r"(\d)D", r"\1d", name)
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _entry(kind: type, names: set[str]) -> dict[str, Any]:
    aliases = sorted(names - {kind.__name__, snake_case(kind.__name__)})
    arguments, left_out = {}, " ".join(NO_ARGUMENTS.values()).split()
    for name, parameter in inspect.signature(kind).parameters.items():
        if name not in left_out and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            arguments[name] = _argument(kind, name, parameter.default)
    return {"keras": kind.__name__, "aliases": aliases, "arguments": arguments}


def _argument(kind: type, name: str, default: Any) -> dict[str, Any]:
    rule = dict(_rule(kind, name, default))
    rank = re.search(r"(\d)D", kind.__name__)
    if rule["type"] in ("padding", "size"):
        rule["type"] += rank[1] if rank else "2"
    if rule.get("required") or default is inspect.Parameter.empty:
        return rule | {"required": True}
    return rule | {"default": json.loads(json.dumps(default))}


def _rule(kind: type, name: str, default: Any) -> dict[str, Any]:
    if name in (special := BY_CLASS.get(kind.__name__, {})):
        return special[name]
    for suffix in ("initializer", "regularizer", "constraint"):
        if name.endswith(f"_{suffix}"):
            return {"type": suffix}
    if type(default) is bool:
        return {"type": "bool"}
    if name not in BY_NAME:
        raise LookupError(f"no rule for the argument {name}={default!r} of {kind.__name__}")
    return BY_NAME[name]


def samples(name: str, entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The least arguments for an entry; several where one set does for one rank only."""
    required = {key: each for key, each in entry["arguments"].items() if each.get("required")}
    if name in SAMPLES_BY_CLASS:
        return SAMPLES_BY_CLASS[name]
    return [{key: SAMPLES[each["type"]] for key, each in required.items()}]


def _ranks(kind: type, entry: dict[str, Any]) -> list[int]:
    """The ranks of tensors on which a layer works, tried symbolically and on numbers."""
    from dlcli.backend import keras

    ranks = []
    axes = re.search(r"(\d)D", kind.__name__)
    own = int(axes[1]) + (3 if "LSTM" in kind.__name__ else 2) if axes else None
    for rank, shape in SHAPES.items():
        if own not in (rank, None):  # some work on others by accident
            continue
        for arguments in samples(kind.__name__, entry):
            try:
                kind(**arguments)(keras.KerasTensor((None, *shape[1:])))
                kind(**arguments)(np.ones(shape, "float32"))
            except Exception:  # noqa: BLE001, S112  Keras and TensorFlow raise what they like
                continue
            ranks.append(rank)
            break
    if not ranks:
        raise LookupError(f"{kind.__name__} works on no tensor, and is not refused either")
    return ranks


def _activations(keras: Any) -> list[str]:
    """The functions that need no argument and keep the shape."""
    found = []
    for name, function in vars(keras.activations).items():
        if not callable(function) or name in ("deserialize", "get", "serialize"):
            continue
        try:
            shape = keras.activations.get(name)(np.ones((2, 4), "float32")).shape
        except TypeError:  # threshold asks for more
            continue
        if tuple(shape) == (2, 4):
            found.append(name)
    return sorted(found)


def as_text(vocabulary: dict[str, Any]) -> str:
    """JSON with a line for each argument."""
    return "".join(_lines(dict(sorted(vocabulary.items())), "")) + "\n"


def _lines(value: Any, indent: str) -> Iterator[str]:
    nested = isinstance(value, dict) and any(isinstance(each, dict) for each in value.values())
    if not nested and not (isinstance(value, dict) and len(value) > 8):
        yield json.dumps(value)
        return
    yield "{\n"
    inner = indent + " "
    names = sorted(value) if len(indent) < 2 else list(value)  # arguments have an order
    for number, name in enumerate(names):
        yield f"{inner}{json.dumps(name)}: "
        yield from _lines(value[name], inner)
        yield ",\n" if number < len(names) - 1 else "\n"
    yield f"{indent}}}"


def main() -> None:
    from dlcli.backend import prepare

    prepare()
    PATH.write_text(as_text(make_vocabulary()), encoding="utf-8")


if __name__ == "__main__":
    main()
