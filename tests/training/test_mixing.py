"""MixUp and CutMix: what is mixed, and that its labels say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import pytest

from dlcli.errors import SpecError
from dlcli.spec.schema import TrainSpec
from dlcli.training.batches import Batch
from dlcli.training.mixing import cut_mix, mix_up, mixed
from tests.training.pictures import ArrayBatches
from tests.training.small_fits import small_fit, small_spec

NUM = 64
MIXUP, CUTMIX = "train.mix={mixup: 1.0}", "train.mix={cutmix: 1.0}"


def one_colour_each(num: int = NUM, size: tuple[int, int] = (20, 30)) -> Batch:
    """Picture i is all of colour 3 * i and of a class of its own: what is mixed shows in both."""
    colours = 3 * np.arange(num, dtype=np.uint8)
    pixels = np.broadcast_to(colours[:, None, None, None], (num, *size, 3)).copy()
    return pixels, np.eye(num, dtype=np.float32)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def epochs(spec: TrainSpec, count: int, first: int = 0) -> list[Batch]:
    """Batches of 8, 3 to an epoch, all of the same pictures."""

    def batches() -> Iterator[Batch]:
        while True:
            yield one_colour_each(8)

    return list(islice(mixed(batches(), spec, 3, first), count))


@pytest.mark.parametrize("mix", [mix_up, cut_mix])
def test_labels_are_the_shares_of_two_pictures(
    mix: Callable[[Batch, float, np.random.Generator], Batch],
) -> None:
    _, labels = mix(one_colour_each(), 1.0, rng())
    assert labels.dtype == np.float32
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)
    assert labels.min() >= 0
    assert ((labels > 0).sum(axis=1) <= 2).all()
    assert ((labels > 0).sum(axis=1) == 2).mean() > 0.8


def test_mix_up_blends_pictures_as_it_does_labels() -> None:
    pixels, labels = mix_up(one_colour_each(), 1.0, rng())
    assert pixels.dtype == np.uint8
    assert (pixels == pixels[:, :1, :1, :1]).all()
    np.testing.assert_allclose(pixels[:, 0, 0, 0], labels @ (3 * np.arange(NUM)), atol=0.51)


def test_mix_up_of_activations_is_not_rounded() -> None:
    x = np.linspace(0, 1, 12, dtype=np.float16)[:, None]
    mixed_x, labels = mix_up((x, np.eye(12, dtype=np.float32)), 1.0, rng())
    assert mixed_x.dtype == np.float16
    np.testing.assert_allclose(mixed_x[:, 0], labels @ x[:, 0].astype(np.float32), atol=1e-3)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_shares_are_spread_as_alpha_says(alpha: float) -> None:
    """Beta(a, a) has the mean 1/2 and the variance 1 / (4 * (2a + 1))."""
    x = np.zeros((4000, 1), np.float32)
    labels = np.arange(4000, dtype=np.float32)[:, None]
    _, blended = mix_up((x, labels), alpha, rng(1))
    others = rng(1).permutation(4000)
    apart = others != np.arange(4000)
    shares = ((blended[:, 0] - others) / (np.arange(4000) - others + ~apart))[apart]
    assert shares.mean() == pytest.approx(0.5, abs=0.02)
    assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.05)


def test_cut_mix_pastes_a_rectangle_whose_area_is_the_share_of_the_label() -> None:
    pixels, labels = cut_mix(one_colour_each(), 1.0, rng())
    assert pixels.dtype == np.uint8
    num_cut = 0
    for own, (picture, label) in enumerate(zip(pixels, labels, strict=True)):
        np.testing.assert_array_equal(picture[..., 0], picture[..., 2])
        pasted = picture[..., 0] != 3 * own
        assert label[own] == pytest.approx(1 - pasted.mean(), abs=1e-6)
        if pasted.any():
            rows, columns = np.flatnonzero(pasted.any(axis=1)), np.flatnonzero(pasted.any(axis=0))
            assert pasted[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
            (colour,) = np.unique(picture[pasted])
            assert label[colour // 3] == pytest.approx(pasted.mean(), abs=1e-6)
            num_cut += 1
    assert num_cut > NUM * 0.8


def test_cut_mix_cuts_everywhere_and_as_much_as_alpha_says() -> None:
    pixels, labels = cut_mix(one_colour_each(80), 1.0, rng())
    pasted = pixels[..., 0] != 3 * np.arange(80)[:, None, None]
    assert (pasted.mean(axis=0) > 0).all(), "every place is cut in some picture"
    # Half of the area on average, less what lies beyond the edges.
    assert 0.2 < 1 - np.diag(labels).mean() < 0.5


def test_cut_mix_leaves_its_batch_as_it_was() -> None:
    batch = one_colour_each()
    cut_mix(batch, 1.0, rng())
    for found, expected in zip(batch, one_colour_each(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_cut_mix_of_what_has_no_height_says_what_to_use() -> None:
    batch = np.zeros((4, 10), np.float16), np.eye(4, dtype=np.float32)
    with pytest.raises(SpecError, match="use mixup"):
        cut_mix(batch, 1.0, rng())


@pytest.mark.parametrize("mix", [MIXUP, CUTMIX])
def test_what_is_mixed_follows_from_seed_epoch_and_batch_alone(mix: str) -> None:
    def taken(batches: list[Batch]) -> list[bytes]:
        return [x.tobytes() + labels.tobytes() for x, labels in batches]

    spec = small_spec(mix, "train.seed=7").train
    whole = taken(epochs(spec, 9))
    assert len(set(whole)) == 9, "each batch is mixed in its own way"
    assert taken(epochs(spec, 9)) == whole
    for first in (1, 4, 6):
        assert taken(epochs(spec, 9 - first, first)) == whole[first:]
    assert not set(taken(epochs(small_spec(mix, "train.seed=8").train, 9))) & set(whole)


def test_without_mixing_batches_are_as_they_come() -> None:
    spec = small_spec().train
    for found in epochs(spec, 4):
        for one, other in zip(found, one_colour_each(8), strict=True):
            np.testing.assert_array_equal(one, other)


def test_train_is_mixed_and_val_never() -> None:
    train, val = ArrayBatches.noise(40, 20, seed=0), ArrayBatches.noise(40, 20, seed=1)
    settings = ["train.epochs=2"]
    plain = small_fit(settings, train, val)
    blended, cut = (small_fit([*settings, mix], train, val) for mix in (MIXUP, CUTMIX))
    assert len({fitted.rows[-1].loss for fitted in (plain, blended, cut)}) == 3
    for fitted in (plain, blended, cut):
        answers = fitted.model.predict_on_batch(val.pixels.astype(np.float32))
        (kept,) = [row for row in fitted.rows if row.kept]
        loss = -np.log((answers * val.labels).sum(axis=1)).mean()
        assert kept.val_loss == pytest.approx(loss, rel=1e-4)
