"""`init`: a spec fitted to a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from ruamel.yaml import YAML

from dlcli.commands import init
from dlcli.commands.init import (
    InitOptions,
    InitResult,
    choose_epochs,
    fit_image_size,
    fit_template,
    set_key,
)
from dlcli.data.census import Census
from dlcli.data.index import DatasetIndex, ImageFile
from dlcli.errors import DataError, UsageError
from dlcli.events import Event, NullReporter, Said, Warned
from tests.conftest import write_classes

TEMPLATE = """\
# dlcli train dlcli.yaml
#
# A network of its own: epochs: 30 is a guess.

data:
  folder: ./animals          # one sub-folder of pictures for each class
  image_size: 64             # or [height, width]
  color: rgb                 # rgb | grayscale
  split: {val: 0.15, epochs: 1}

model:
  layers:
    - conv2d: {filters: 8}
    - folder: inner          # deeper than a section's keys

train:
  epochs: 30                 # rounds
"""
WITHOUT_FITTED_KEYS = "data:\n  folder: ./animals          # here\n"
SMALL_GREY = Census(60, 28, 28, is_grey=True)
SMALL_COLORED = Census(60, 32, 32, is_grey=False)
PHOTOS = Census(200, 375, 500, is_grey=False)
LARGE_GREY = Census(200, 375, 500, is_grey=True)
NOTHING = Census(0, 0, 0, is_grey=False)


class Heard:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def report(self, event: Event) -> None:
        assert isinstance(event, Said | Warned)
        self.lines.append(event.text)


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of templates of the test's own."""
    folder = tmp_path / "templates"
    folder.mkdir()
    for name in ("scratch", "vgg16", "resnet18", "resnet152"):
        (folder / f"{name}.yaml").write_text(TEMPLATE)
    for name in ("transfer", "full"):
        (folder / f"{name}.yaml").write_text(TEMPLATE.replace("64 ", "224"))
    monkeypatch.setattr(init, "_templates_folder", lambda: folder)
    return folder


def write_grey(folder: Path, counts: dict[str, int], side: int = 28) -> Path:
    rng = np.random.default_rng(0)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 256, (side, side), np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


def values(text: str) -> dict[str, object]:
    return dict(YAML(typ="safe").load(text))


def columns_of_comments(text: str) -> set[int]:
    return {
        line.index("# ") for line in text.splitlines() if "  # " in line and "deeper" not in line
    }


# --- a key in a template ---


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("folder", "./x", "  folder: ./x                # one sub-folder of"),
        ("image_size", "[28, 32]", "  image_size: [28, 32]       # or [height, width]\n"),
        ("color", "grayscale", "  color: grayscale           # rgb | grayscale\n"),
        ("epochs", "200", "  epochs: 200                # rounds\n"),
        ("folder", r'"a\1 # \\g<0>"', r'  folder: "a\1 # \\g<0>"     # one'),
        ("folder", "./a/long/path/to/pictures", "  folder: ./a/long/path/to/pictures  # one"),
    ],
)
def test_a_key_is_set_and_its_comment_stays_in_its_column(
    key: str, value: str, expected: str
) -> None:
    found = set_key(TEMPLATE, key, value)
    assert expected in found
    changed = [
        (old, new)
        for old, new in zip(TEMPLATE.splitlines(), found.splitlines(), strict=True)
        if old != new
    ]
    assert len(changed) == 1
    assert changed[0][0].partition("#")[2] == changed[0][1].rpartition("  #")[2]


def test_a_value_without_a_comment_is_set() -> None:
    assert set_key("train:\n  epochs: 30\n", "epochs", "5") == "train:\n  epochs: 5\n"
    assert set_key("train:\n  epochs: 30", "epochs", "5") == "train:\n  epochs: 5"


@pytest.mark.parametrize("key", ["sizes", "val", "conv2d", "filters", "epoch", "data", ".*"])
def test_a_key_that_is_not_there_is_left_alone(key: str) -> None:
    assert set_key(TEMPLATE, key, "5") == TEMPLATE


# --- which template, which values ---


@pytest.mark.parametrize(
    ("census", "template"),
    [
        (SMALL_GREY, "scratch"),
        (SMALL_COLORED, "scratch"),
        (Census(9, 64, 900, is_grey=False), "scratch"),
        (Census(9, 65, 65, is_grey=True), "transfer"),
        (PHOTOS, "transfer"),
        (LARGE_GREY, "transfer"),
        (NOTHING, "transfer"),
    ],
)
def test_small_pictures_train_from_nothing(census: Census, template: str) -> None:
    assert init.choose_template(census) == template


@pytest.mark.parametrize(
    ("height", "width", "expected"),
    [
        (28, 28, (28, 28)),
        (32, 32, (32, 32)),
        (64, 64, (64, 64)),
        (33, 33, (32, 32)),
        (31, 30, (32, 32)),
        (50, 50, (52, 52)),
        (60, 64, (60, 60)),
        (40, 44, (40, 40)),
        (28, 56, (28, 56)),
        (60, 40, (60, 40)),
        (16, 16, (28, 28)),
        (8, 8, (28, 28)),
        (14, 28, (28, 56)),
        (64, 900, (28, 64)),
        (375, 500, (48, 64)),
        (1, 1, (28, 28)),
        (1, 3000, (28, 64)),
    ],
)
def test_a_network_of_its_own_sees_the_pictures_at_about_their_size(
    height: int, width: int, expected: tuple[int, int]
) -> None:
    assert fit_image_size(height, width, 28, 64) == expected


@settings(derandomize=True, deadline=None, database=None, max_examples=300)
@given(st.integers(1, 5000), st.integers(1, 5000))
def test_an_image_size_is_within_its_bounds(height: int, width: int) -> None:
    found = fit_image_size(height, width, 32, 224)
    assert all(32 <= side <= 224 and side % 4 == 0 for side in found)
    assert fit_image_size(width, height, 32, 224) == found[::-1]


@pytest.mark.parametrize(
    ("num_training", "epochs"),
    [(60_000, 9), (51_000, 9), (10**6, 8), (5000, 29), (2100, 45), (700, 77), (1, 100)],
)
def test_small_sets_are_seen_more_often(num_training: int, epochs: int) -> None:
    assert choose_epochs(num_training) == epochs


@pytest.mark.parametrize(
    ("splits", "num_training"),
    [
        ([None] * 100, 70),
        ([None] * 2, 1),
        (["train"] * 60 + ["val"] * 20 + ["test"] * 20, 60),
        (["train"] * 80 + ["val"] * 20, 80),
        (["train"] * 80 + ["test"] * 20, 68),
    ],
)
def test_the_training_pictures_are_counted_before_the_split(
    splits: list[str | None], num_training: int
) -> None:
    files = tuple(ImageFile(f"{row}.png", row % 2, split) for row, split in enumerate(splits))
    assert init.count_training(DatasetIndex(Path(), ("a", "b"), files)) == num_training


def test_a_template_is_fitted_to_small_grey_pictures() -> None:
    found = fit_template(TEMPLATE, "scratch", SMALL_GREY, 42_000)
    expected = values(TEMPLATE)
    expected["data"] |= {"image_size": 28, "color": "grayscale"}  # type: ignore[operator]
    expected["train"] = {"epochs": 10}
    assert values(found) == expected
    assert columns_of_comments(found) == columns_of_comments(TEMPLATE)


@pytest.mark.parametrize(
    ("name", "size"), [("scratch", [64, 48]), ("vgg16", [224, 168]), ("resnet152", [224, 168])]
)
def test_each_template_that_trains_from_nothing_has_its_bounds(name: str, size: list[int]) -> None:
    found = values(fit_template(TEMPLATE, name, Census(9, 400, 300, is_grey=False), 5000))
    assert found["data"]["image_size"] == size  # type: ignore[index]
    assert found["data"]["color"] == "rgb"  # type: ignore[index]
    assert found["train"] == {"epochs": 29}


@pytest.mark.parametrize("name", ["transfer", "full"])
@pytest.mark.parametrize("census", [SMALL_GREY, PHOTOS, NOTHING])
def test_a_template_on_a_trained_network_keeps_its_values(name: str, census: Census) -> None:
    assert fit_template(TEMPLATE, name, census, 1000) == TEMPLATE


def test_pictures_that_cannot_be_read_fit_only_the_epochs() -> None:
    expected = set_key(TEMPLATE, "epochs", "29")
    assert fit_template(TEMPLATE, "scratch", NOTHING, 5000) == expected


def test_a_template_without_these_keys_is_left_alone() -> None:
    assert fit_template(WITHOUT_FITTED_KEYS, "scratch", SMALL_GREY, 9) == WITHOUT_FITTED_KEYS


@pytest.mark.parametrize(
    ("census", "typed", "reason"),
    [
        (
            SMALL_GREY,
            None,
            "28 x 28 px, grey: too small for a network trained on photos, "
            "so it trains from nothing",
        ),
        (PHOTOS, None, "375 x 500 px, in colour: it builds on a network trained on photos"),
        (PHOTOS, "full", "375 x 500 px, in colour: it builds on a network trained on photos"),
        (
            SMALL_COLORED,
            "transfer",
            "32 x 32 px, in colour: small for a network trained on photos; "
            "--template scratch trains from nothing",
        ),
        (SMALL_GREY, "resnet18", "28 x 28 px, grey: resnet18 trains from nothing"),
        (LARGE_GREY, "scratch", "375 x 500 px, grey: scratch trains from nothing"),
        (NOTHING, None, "no picture could be read, so nothing is fitted to them"),
    ],
)
def test_the_reason_is_a_sentence(census: Census, typed: str | None, reason: str) -> None:
    assert init.explain(census, typed) == reason


# --- the command ---


@pytest.mark.usefixtures("templates")
def test_small_grey_pictures_get_a_spec_of_their_own(tmp_path: Path) -> None:
    folder = write_grey(tmp_path / "digits", {"a": 6, "b": 4})
    heard = Heard()
    result = init.run(InitOptions(folder, tmp_path / "dlcli.yaml"), heard)
    reason = (
        "28 x 28 px, grey: too small for a network trained on photos, so it trains from nothing"
    )
    assert result == InitResult(
        tmp_path / "dlcli.yaml",
        "scratch",
        ("a", "b"),
        10,
        image_size=(28, 28),
        color="grayscale",
        reason=reason,
    )
    assert heard.lines == ["10 pictures in 2 classes: a 6, b 4", reason]
    written = values((tmp_path / "dlcli.yaml").read_text())
    assert written["data"] == {
        "folder": "./digits",
        "image_size": 28,
        "color": "grayscale",
        "split": {"val": 0.15, "epochs": 1},
    }
    assert written["train"] == {"epochs": 100}


@pytest.mark.usefixtures("templates")
def test_photos_get_the_template_for_photos(tmp_path: Path) -> None:
    folder = write_grey(tmp_path / "photos", {"a": 2, "b": 2}, side=200)
    result = init.run(InitOptions(folder, tmp_path / "dlcli.yaml"), NullReporter())
    assert (result.template, result.image_size, result.color) == ("transfer", (224, 224), "rgb")
    expected = set_key((tmp_path / "templates" / "transfer.yaml").read_text(), "folder", "./photos")
    assert (tmp_path / "dlcli.yaml").read_text() == expected


@pytest.mark.usefixtures("templates")
def test_the_template_that_was_asked_for_is_taken(tmp_path: Path) -> None:
    folder = write_grey(tmp_path / "small", {"a": 2, "b": 2}, side=40)
    options = InitOptions(folder, tmp_path / "dlcli.yaml", "resnet18")
    result = init.run(options, NullReporter())
    assert (result.template, result.image_size, result.color) == ("resnet18", (40, 40), "grayscale")
    options = InitOptions(folder, tmp_path / "other.yaml", "transfer")
    result = init.run(options, NullReporter())
    assert (result.template, result.image_size, result.color) == ("transfer", (224, 224), "rgb")


@pytest.mark.parametrize("template", [None, "transfer"])
def test_without_a_folder_the_template_is_written_as_it_is(
    tmp_path: Path, templates: Path, template: str | None
) -> None:
    heard = Heard()
    result = init.run(InitOptions(None, tmp_path / "dlcli.yaml", template), heard)
    assert result == InitResult(
        tmp_path / "dlcli.yaml", "transfer", (), 0, (224, 224), "rgb", reason=""
    )
    assert heard.lines == []
    assert (tmp_path / "dlcli.yaml").read_text() == (templates / "transfer.yaml").read_text()


def test_a_template_without_a_color_is_read_in_colour(tmp_path: Path, templates: Path) -> None:
    (templates / "bare.yaml").write_text(WITHOUT_FITTED_KEYS)
    result = init.run(InitOptions(None, tmp_path / "dlcli.yaml", "bare"), NullReporter())
    assert (result.image_size, result.color) == (None, "rgb")


@pytest.mark.usefixtures("templates")
@pytest.mark.parametrize(
    "name", ["my photos", 'a"b', "it's", "a#b", "colon: b", "ümlaut", r"back\1slash"]
)
def test_any_folder_is_found_again(tmp_path: Path, name: str) -> None:
    folder = write_classes(tmp_path / name, {"a": 1, "b": 1})
    init.run(InitOptions(folder, tmp_path / "dlcli.yaml"), NullReporter())
    written = values((tmp_path / "dlcli.yaml").read_text(encoding="utf-8"))
    assert written["data"]["folder"] == f"./{name}"  # type: ignore[index]


@pytest.mark.usefixtures("templates")
def test_a_manifest_gets_a_spec_as_a_folder_does(tmp_path: Path) -> None:
    write_grey(tmp_path / "digits", {"a": 6, "b": 4})
    rows = [
        f"{path.relative_to(tmp_path).as_posix()},{path.parent.name},{path.stat().st_size}"
        for path in sorted((tmp_path / "digits").rglob("*.png"))
    ]
    manifest = tmp_path / "labels.csv"
    manifest.write_text("\n".join(["path,label,bytes", *rows, "gone.png,c,0"]))
    heard = Heard()
    result = init.run(InitOptions(manifest, tmp_path / "dlcli.yaml"), heard)
    assert (result.template, result.classes, result.num_images) == ("scratch", ("a", "b"), 10)
    assert heard.lines == [
        "10 pictures in 2 classes: a 6, b 4",
        "columns not used: bytes",
        "skipped 1: gone.png (no such file (line 12 of labels.csv))",
        result.reason,
    ]
    written = values((tmp_path / "dlcli.yaml").read_text())
    assert written["data"]["folder"] == "./labels.csv"  # type: ignore[index]


@pytest.mark.usefixtures("templates")
def test_a_folder_elsewhere_is_named_in_full(tmp_path: Path) -> None:
    folder = write_classes(tmp_path / "data", {"a": 1, "b": 1})
    init.run(InitOptions(folder, tmp_path / "specs" / "dlcli.yaml"), NullReporter())
    written = values((tmp_path / "specs" / "dlcli.yaml").read_text(encoding="utf-8"))
    assert written["data"]["folder"] == str(folder.resolve())  # type: ignore[index]


@pytest.mark.usefixtures("templates")
def test_what_is_there_is_overwritten_only_with_force(tmp_path: Path) -> None:
    spec = tmp_path / "dlcli.yaml"
    spec.write_text("mine")
    with pytest.raises(UsageError, match=r"dlcli\.yaml: this file is there already.*--force"):
        init.run(InitOptions(None, spec), NullReporter())
    assert spec.read_text() == "mine"
    init.run(InitOptions(None, spec, force=True), NullReporter())
    assert spec.read_text() != "mine"


@pytest.mark.usefixtures("templates")
def test_an_unknown_template_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'scrach' is no template.*Did you mean scratch\?"):
        init.run(InitOptions(None, tmp_path / "dlcli.yaml", "scrach"), NullReporter())


@pytest.mark.usefixtures("templates")
def test_nothing_is_written_for_a_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures in this folder"):
        init.run(InitOptions(tmp_path / "empty", tmp_path / "dlcli.yaml"), NullReporter())
    with pytest.raises(UsageError, match="no such folder"):
        init.run(InitOptions(tmp_path / "none", tmp_path / "dlcli.yaml"), NullReporter())
    assert not (tmp_path / "dlcli.yaml").exists()


def test_templates_are_listed_with_what_they_say() -> None:
    listed = init.list_templates()
    assert {"transfer", "full"} <= set(listed)
    assert listed["transfer"].startswith("A head on EfficientNet-Lite0")
