"""dlcli train: which spec the options amount to."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcli.commands.train import TrainOptions, resolve_spec
from dlcli.errors import SpecError, UsageError


def options(target: Path | None = None, **more: object) -> TrainOptions:
    return TrainOptions(target=target, runs_folder=Path("runs"), **more)  # type: ignore[arg-type]


@pytest.fixture
def spec_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text("data:\n  folder: photos\n  resize: pad\n")
    return path


def test_a_folder_alone_takes_all_defaults(tmp_path: Path) -> None:
    spec = resolve_spec(options(tmp_path))
    assert spec.data.folder == tmp_path
    assert spec.data.image_size == (224, 224)
    assert spec.data.resize == "crop"


def test_a_spec_as_target_counts_its_folder_from_itself(spec_file: Path) -> None:
    spec = resolve_spec(options(spec_file))
    assert spec.data.folder == spec_file.parent / "photos"
    assert spec.data.resize == "pad"


def test_a_target_folder_takes_the_place_of_the_spec_s(spec_file: Path, tmp_path: Path) -> None:
    spec = resolve_spec(options(tmp_path / "other", spec=spec_file))
    assert spec.data.folder == tmp_path / "other"
    assert spec.data.resize == "pad"


def test_set_lies_over_the_spec(spec_file: Path) -> None:
    spec = resolve_spec(options(spec_file, overrides=("data.resize=stretch", "data.folder=here")))
    assert spec.data.resize == "stretch"
    assert spec.data.folder == Path("here")


def test_two_specs_are_refused(spec_file: Path) -> None:
    with pytest.raises(UsageError, match="two specs were given"):
        resolve_spec(options(spec_file, spec=spec_file))


def test_a_folder_may_be_called_like_a_spec(tmp_path: Path) -> None:
    (tmp_path / "photos.yaml").mkdir()
    assert resolve_spec(options(tmp_path / "photos.yaml")).data.folder == tmp_path / "photos.yaml"


def test_a_faulty_override_names_itself(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"--set data.resize=crp: data.resize must be crop"):
        resolve_spec(options(tmp_path, overrides=("data.resize=crp",)))
