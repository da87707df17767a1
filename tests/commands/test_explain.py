"""dlcli explain: what is refused before any work, and what the maps are called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dlcli.commands.explain import ExplainOptions, Explanations, name_maps, run
from dlcli.errors import UsageError
from dlcli.events import NullReporter
from tests.conftest import write_image


def explain(
    trained: Path,
    *paths: Path | str,
    output: Path,
    class_name: str | None = None,
    force: bool = False,
) -> Explanations:
    options = ExplainOptions(
        [str(path) for path in paths], trained.parent, str(trained), output, class_name, force
    )
    return run(options, NullReporter())


def test_a_map_is_called_after_its_picture() -> None:
    paths = ["a/cat.jpg", "b/cat.png", "c/Cat.jpg", "cat-2.jpg", "dog.tar.gz", "no-suffix"]
    assert name_maps(paths) == [
        "cat-explained.png",
        "cat-2-explained.png",
        "Cat-3-explained.png",
        "cat-2-2-explained.png",
        "dog.tar-explained.png",
        "no-suffix-explained.png",
    ]
    assert name_maps(["cat.jpg"], "big/cat: 日本") == ["cat-explained-big_cat_日本.png"]


@pytest.mark.parametrize("stem", ["x" * 240, "日" * 80, "no utf-8 \udcff" * 20])
def test_a_long_name_is_cut_where_file_systems_end(stem: str) -> None:
    (name,) = name_maps([f"{stem}.jpg"])
    assert len(os.fsencode(name)) < 255
    assert name.endswith("-explained.png")


def test_an_unknown_class_is_refused_with_the_nearest(trained_run: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r'--class: .* knows no class "lino"\. Did you mean lion\?'
    ):
        explain(trained_run, "x.jpg", output=tmp_path, class_name="lino")
    with pytest.raises(UsageError, match=r"There are cat, dog, elephant, lion, tiger\."):
        explain(trained_run, "x.jpg", output=tmp_path, class_name="zebrafish")


def test_without_pictures_there_is_nothing_to_do(trained_run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are no pictures to explain"):
        explain(trained_run, output=tmp_path)


def test_an_earlier_map_is_overwritten_only_with_force(trained_run: Path, tmp_path: Path) -> None:
    earlier = tmp_path / "b-explained.png"
    earlier.write_bytes(b"before")
    with pytest.raises(UsageError, match=r"b-explained\.png: this is there already\. Overwrite"):
        explain(trained_run, "a.jpg", "b.jpg", output=tmp_path)
    explain(trained_run, "a.jpg", "b.jpg", output=tmp_path, force=True)
    assert earlier.read_bytes() == b"before"  # nothing was asked of the answers yet


def test_a_picture_is_never_overwritten_by_a_map(trained_run: Path, tmp_path: Path) -> None:
    own = write_image(tmp_path / "cat-explained.png")
    with pytest.raises(UsageError, match="one of the pictures to explain"):
        explain(trained_run, "cat.jpg", own, output=tmp_path, force=True)


def test_maps_never_lie_among_the_training_pictures(trained_run: Path, animals: Path) -> None:
    for folder in (animals / "maps", animals / "cat"):
        with pytest.raises(UsageError, match="would lie among the run's training pictures"):
            explain(trained_run, "cat.jpg", output=folder)


def test_what_cannot_be_read_is_answered_without_keras(trained_run: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    result = explain(trained_run, broken, tmp_path / "gone.jpg", output=tmp_path / "maps")
    answers = list(result.images)
    assert [answer.error is not None for answer in answers] == [True, True]
    assert [answer.label for answer in answers] == [None, None]
    assert not (tmp_path / "maps").exists()
