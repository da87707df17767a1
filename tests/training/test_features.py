"""Features that are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcli.data.pixels import PixelFormat
from dlcli.data.store import PixelStore, open_store
from dlcli.events import NullReporter, StageAdvanced, StageEnded, StageStarted
from dlcli.training.features import kept_features
from tests.conftest import Recorder, write_image


class Corners:
    """A body whose features are the first and the last pixel of the first row."""

    num_features = 6

    def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return pixels[:, 0, [0, -1]].reshape(len(pixels), 6).astype(np.float32)


NAMES = [f"{number:02}.png" for number in range(21)]


@pytest.fixture
def store(tmp_path: Path, own_cache: Path) -> PixelStore:  # noqa: ARG001 - it sets the place
    for number, name in enumerate(NAMES):
        write_image(tmp_path / "pictures" / name, number)
    (tmp_path / "pictures" / NAMES[4]).write_bytes(b"no picture")
    return open_store(tmp_path / "pictures", NAMES, PixelFormat((32, 32)), NullReporter())


def test_each_readable_row_has_the_features_of_its_picture(store: PixelStore) -> None:
    features = kept_features(store, Corners(), "a", NullReporter())
    assert features.shape == (21, 6)
    assert features.dtype == np.float16
    readable = [row for row in range(21) if row != 4]
    np.testing.assert_array_equal(features[readable], Corners().features(store.read(readable)))


def test_the_row_of_an_unreadable_picture_is_zero(store: PixelStore) -> None:
    features = kept_features(store, Corners(), "a", NullReporter())
    assert store.reasons[4] == "not a picture"
    assert not features[4].any()
    assert features[3].any()


def test_the_second_time_nothing_is_computed(store: PixelStore) -> None:
    first, second = Recorder(), Recorder()
    computed = np.array(kept_features(store, Corners(), "a", first))
    kept = kept_features(store, Corners(), "a", second)
    assert first.events[0] == StageStarted("features", 20)
    assert first.events[-2:] == [StageAdvanced("features", 20), StageEnded("features")]
    assert second.events == []
    np.testing.assert_array_equal(kept, computed)


def test_another_body_has_features_of_its_own(store: PixelStore) -> None:
    kept_features(store, Corners(), "a", NullReporter())
    again = Recorder()
    kept_features(store, Corners(), "b", again)
    assert StageStarted("features", 20) in again.events


def test_mirrored_features_are_those_of_the_mirror_image(store: PixelStore) -> None:
    plain = kept_features(store, Corners(), "a", NullReporter())
    recorder = Recorder()
    mirrored = kept_features(store, Corners(), "a", recorder, mirrored=True)
    assert recorder.events[0] == StageStarted("features, mirrored", 20)
    np.testing.assert_array_equal(mirrored, plain[:, [3, 4, 5, 0, 1, 2]])
    assert (mirrored != plain).any()


def test_features_are_kept_apart_from_their_mirror_images(store: PixelStore) -> None:
    plain = np.array(kept_features(store, Corners(), "a", NullReporter()))
    kept_features(store, Corners(), "a", NullReporter(), mirrored=True)
    np.testing.assert_array_equal(kept_features(store, Corners(), "a", NullReporter()), plain)


def test_a_changed_picture_is_computed_anew(store: PixelStore, tmp_path: Path) -> None:
    before = np.array(kept_features(store, Corners(), "a", NullReporter()))
    write_image(tmp_path / "pictures" / NAMES[4], 100)
    mended = open_store(tmp_path / "pictures", NAMES, PixelFormat((32, 32)), NullReporter())
    after = kept_features(mended, Corners(), "a", NullReporter())
    assert after[4].any()
    np.testing.assert_array_equal(np.delete(after, 4, 0), np.delete(before, 4, 0))


def test_kept_features_cannot_be_changed(store: PixelStore) -> None:
    features = kept_features(store, Corners(), "a", NullReporter())
    with pytest.raises(ValueError, match="read-only"):
        features[0, 0] = 1


def test_a_body_that_fails_leaves_nothing_behind(store: PixelStore, own_cache: Path) -> None:
    class Broken(Corners):
        def features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            if len(pixels) < 8:
                raise MemoryError
            return super().features(pixels)

    with pytest.raises(MemoryError):
        kept_features(store, Broken(), "a", NullReporter())
    assert list((own_cache / "features").iterdir()) == []
    assert kept_features(store, Corners(), "a", NullReporter()).shape == (21, 6)
