"""Weight files of Keras into a network."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
import pytest

from dlcli import backend
from dlcli.errors import DataError, UsageError
from tests.models import networks


@pytest.fixture(scope="module", autouse=True)
def _keras() -> None:
    backend.prepare()


def load(network: Any, path: Path) -> bool:
    from dlcli.models.weight_files import load_weights

    return load_weights(network, path)


def make_body(filters: int = 4, blocks: int = 2, *, seed: int = 0) -> Any:
    """Convolutions with batch normalization."""
    layers = backend.keras.layers
    pixels = backend.keras.Input((8, 8, 3), name="pixels")
    x = layers.Rescaling(1 / 255)(pixels)
    for _ in range(blocks):
        x = layers.Conv2D(filters, 3, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
    body = backend.keras.Model(pixels, layers.GlobalAveragePooling2D()(x))
    networks.randomize(body, seed)
    return body


def with_head(body: Any) -> Any:
    """The body and a classifier, in one graph."""
    layers = backend.keras.layers
    x = layers.Dropout(0.5, seed=0)(body.output)
    return backend.keras.Model(body.input, layers.Dense(2, activation="softmax")(x))


def nested(body: Any) -> Any:
    """The body as one layer of a network, as Keras' guide to transfer learning does it."""
    keras = backend.keras
    pixels = keras.Input((8, 8, 3))
    return keras.Model(pixels, keras.layers.Dense(2)(body(pixels)))


def write_weights(network: Any, folder: Path) -> Path:
    network.save_weights(folder / "x.weights.h5")
    return folder / "x.weights.h5"


def write_keras(network: Any, folder: Path) -> Path:
    network.save(folder / "x.keras")
    return folder / "x.keras"


def write_legacy(network: Any, folder: Path) -> Path:
    return networks.write_legacy(network, folder / "x.h5")


def write_legacy_model(network: Any, folder: Path) -> Path:
    return networks.write_legacy(network, folder / "x.h5", root="model_weights")


Write = Callable[[Any, Path], Path]
FORMATS = [write_weights, write_keras, write_legacy, write_legacy_model]


@pytest.mark.parametrize("write", FORMATS)
def test_a_network_gets_the_weights_of_its_file(write: Write, tmp_path: Path) -> None:
    """Also where its layers' numbers, in the order of the alphabet, are 0 1 10 11 2."""
    source, body = make_body(blocks=12, seed=1), make_body(blocks=12, seed=2)
    assert load(body, write(source, tmp_path)) is False
    same(body, source)


@pytest.mark.parametrize("write", FORMATS)
@pytest.mark.parametrize("whole", [with_head, nested])
def test_a_classifier_behind_the_body_is_left_out(
    whole: Callable[[Any], Any], write: Write, tmp_path: Path
) -> None:
    source, body = make_body(seed=1), make_body(seed=2)
    assert load(body, write(whole(source), tmp_path)) is True
    same(body, source)


@pytest.mark.parametrize("write", FORMATS)
def test_a_file_of_a_nested_network_fits_the_nested_network(write: Write, tmp_path: Path) -> None:
    source, other = nested(make_body(seed=1)), nested(make_body(seed=2))
    assert load(other, write(source, tmp_path)) is False
    same(other, source)


def test_a_trained_network_is_read_without_its_optimizer(tmp_path: Path) -> None:
    source, body = with_head(make_body(blocks=1, seed=1)), make_body(blocks=1, seed=2)
    source.compile("adam", "sparse_categorical_crossentropy")
    source.fit(np.zeros((2, 8, 8, 3)), np.zeros(2), verbose=0)
    assert load(body, write_keras(source, tmp_path)) is True
    for mine, theirs in zip(body.weights, source.weights, strict=False):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


def test_a_saved_network_of_keras_2_may_keep_its_names_in_pieces(tmp_path: Path) -> None:
    source, body = make_body(seed=1), make_body(seed=2)
    path = write_legacy(source, tmp_path)
    with h5py.File(path, "r+") as file:
        names = file.attrs.pop("layer_names")
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:3], names[3:]
    assert load(body, path) is False
    same(body, source)


def test_a_normalization_uses_what_was_read(tmp_path: Path) -> None:
    keras = backend.keras

    def make(mean: float) -> Any:
        layer = keras.layers.Normalization()
        layer.adapt(np.array([[mean - 1.0], [mean + 1.0]]))
        return keras.Sequential([keras.Input((1,)), layer])

    network = make(0.0)
    load(network, write_weights(make(100.0), tmp_path))
    np.testing.assert_allclose(networks.answers(network, np.array([[100.0]])), [[0.0]], atol=1e-5)


@pytest.mark.parametrize("write", FORMATS)
def test_another_network_is_refused_with_the_first_layer_that_differs(
    write: Write, tmp_path: Path
) -> None:
    body = make_body(filters=4, blocks=2, seed=2)
    before = [weight.numpy() for weight in body.weights]
    path = write(make_body(filters=5, blocks=2), tmp_path)
    shapes = r"3x3x3x5, 5, .* of 3x3x3x4, 4\. Name a file of the same network\.$"
    with pytest.raises(
        DataError, match=rf"{path.name}: its layer conv2d.* has weights of {shapes}"
    ):
        load(body, path)
    for weight, value in zip(body.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


@pytest.mark.parametrize("write", FORMATS)
def test_a_smaller_network_is_refused_with_the_layer_that_it_lacks(
    write: Write, tmp_path: Path
) -> None:
    body = make_body(blocks=3)
    path = write(make_body(blocks=2), tmp_path)
    name = body.layers[8].name
    with pytest.raises(DataError, match=rf"it ends before {name}, which has weights of 3x3x4x4, 4"):
        load(body, path)


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.weights.h5", tmp_path):
        with pytest.raises(UsageError, match="there is no such weight file"):
            load(make_body(blocks=1), path)


@pytest.mark.parametrize("write", FORMATS)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_a_cut_file_is_a_sentence(write: Write, share: float, tmp_path: Path) -> None:
    path = write(make_body(blocks=2), tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=rf"{path.name}: this is no readable weight file of Keras"):
        load(make_body(blocks=2), path)


def test_something_else_is_a_sentence(tmp_path: Path) -> None:
    picture = tmp_path / "cat.keras"
    picture.write_bytes(b"\xff\xd8 no model")
    archive = tmp_path / "archive.keras"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme.txt", "no model either")
    empty = tmp_path / "empty.h5"
    h5py.File(empty, "w").close()
    for path in (picture, archive):
        with pytest.raises(DataError, match="this is no readable weight file of Keras"):
            load(make_body(blocks=1), path)
    with pytest.raises(DataError, match="it ends before conv2d"):
        load(make_body(blocks=1), empty)


@pytest.mark.parametrize("kind", ["soft", "external", "virtual", "elsewhere"])
def test_a_file_that_leads_to_other_files_is_refused(kind: str, tmp_path: Path) -> None:
    path = write_weights(make_body(blocks=1), tmp_path)
    with h5py.File(tmp_path / "secret.h5", "w") as secret:
        secret["0"] = np.zeros((3, 3, 3, 4), np.float32)
    (tmp_path / "secret.raw").write_bytes(bytes(4 * 108))
    with h5py.File(path, "r+") as file:
        group = file["layers/conv2d/vars"]
        del group["0"]
        if kind == "soft":
            group["0"] = h5py.SoftLink("/layers/conv2d/vars/1")
        elif kind == "external":
            group["0"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/0")
        elif kind == "virtual":
            layout = h5py.VirtualLayout((3, 3, 3, 4), np.float32)
            layout[:] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "0", (3, 3, 3, 4))
            group.create_virtual_dataset("0", layout)
        else:
            where = [(str(tmp_path / "secret.raw"), 0, h5py.h5f.UNLIMITED)]
            group.create_dataset("0", (3, 3, 3, 4), np.float32, external=where)
    with pytest.raises(DataError, match=r"0 is (a link|kept in another file)"):
        load(make_body(blocks=1), path)


def test_a_bomb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = write_weights(make_body(blocks=1), tmp_path)
    with h5py.File(path, "r+") as file:
        group = file["layers/conv2d/vars"]
        del group["0"]
        group.create_dataset("0", (10**6, 10**6, 10**3), np.float32, chunks=True)
    with pytest.raises(DataError, match="has weights of 1000000x1000000x1000"):
        load(make_body(blocks=1), path)
    with zipfile.ZipFile(tmp_path / "x.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(10**7))
    with pytest.raises(DataError, match=r"model\.weights\.h5 is compressed"):
        load(make_body(blocks=1), tmp_path / "x.keras")


def test_text_in_the_place_of_numbers_is_refused(tmp_path: Path) -> None:
    path = write_weights(make_body(blocks=1), tmp_path)
    with h5py.File(path, "r+") as file:
        group = file["layers/conv2d/vars"]
        del group["1"]
        group["1"] = np.array([b"abcd"] * 4)
    with pytest.raises(DataError, match=r"conv2d.* holds .*S4, no numbers"):
        load(make_body(blocks=1), path)


def test_a_keras_file_cannot_run_code(tmp_path: Path) -> None:
    """Its configuration, where a Lambda could hide, is not even read."""
    source, body = make_body(seed=1), make_body(seed=2)
    path = write_keras(source, tmp_path)
    with zipfile.ZipFile(path) as archive:
        weights = archive.read("model.weights.h5")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{not even JSON")
        archive.writestr("model.weights.h5", io.BytesIO(weights).getvalue())
    assert load(body, path) is False
    same(body, source)


def same(one: Any, other: Any) -> None:
    """Whether two networks have equal weights."""
    assert len(one.weights) == len(other.weights) > 0
    for mine, theirs in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
