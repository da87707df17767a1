"""dlcli train: which spec the options amount to."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcli.commands.train import DryRunResult, TrainOptions, read_options, run
from dlcli.errors import SpecError, UsageError
from dlcli.events import Event, RunClosed, RunOpened, Said
from dlcli.spec.schema import Spec
from tests.commands.test_plan import Recorder
from tests.conftest import write_classes


def options(target: Path | None = None, **more: object) -> TrainOptions:
    return TrainOptions(target=target, runs_folder=Path("runs"), **more)  # type: ignore[arg-type]


def read_spec_of(typed: TrainOptions) -> Spec:
    return read_options(typed).spec


@pytest.fixture
def spec_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text("data:\n  folder: photos\n  resize: pad\n")
    return path


def test_a_folder_alone_takes_all_defaults(tmp_path: Path) -> None:
    spec = read_spec_of(options(tmp_path))
    assert spec.data.folder == tmp_path
    assert spec.data.image_size == (224, 224)
    assert spec.data.resize == "crop"


def test_a_spec_as_target_counts_its_folder_from_itself(spec_file: Path) -> None:
    spec = read_spec_of(options(spec_file))
    assert spec.data.folder == spec_file.parent / "photos"
    assert spec.data.resize == "pad"


def test_a_target_folder_takes_the_place_of_the_spec_s(spec_file: Path, tmp_path: Path) -> None:
    spec = read_spec_of(options(tmp_path / "other", spec=spec_file))
    assert spec.data.folder == tmp_path / "other"
    assert spec.data.resize == "pad"


def test_set_lies_over_the_spec(spec_file: Path) -> None:
    spec = read_spec_of(options(spec_file, overrides=("data.resize=stretch", "data.folder=here")))
    assert spec.data.resize == "stretch"
    assert spec.data.folder == Path("here")


def test_two_specs_are_refused(spec_file: Path) -> None:
    with pytest.raises(UsageError, match="two specs were given"):
        read_spec_of(options(spec_file, spec=spec_file))


def test_a_folder_may_be_called_like_a_spec(tmp_path: Path) -> None:
    (tmp_path / "photos.yaml").mkdir()
    assert read_spec_of(options(tmp_path / "photos.yaml")).data.folder == tmp_path / "photos.yaml"


def test_a_faulty_override_names_itself(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"--set data.resize=crp: data.resize must be crop"):
        read_spec_of(options(tmp_path, overrides=("data.resize=crp",)))


def test_a_folder_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--set data\.folder: the folder is named twice"):
        read_options(options(tmp_path, overrides=("data.folder=elsewhere",)))


def test_what_was_given_is_known(spec_file: Path) -> None:
    given = read_options(options(spec_file, overrides=("train.seed=3",))).given
    assert ("data", "resize") in given
    assert ("train", "seed") in given
    assert ("data", "image_size") not in given


@pytest.fixture
def unreadable(tmp_path: Path) -> Path:
    """Two classes of ten files that are no pictures."""
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(10):
            (tmp_path / "pets" / name / f"{number}.png").write_text(f"{name} {number}")
    return tmp_path / "pets"


def test_a_dry_run_shows_the_model_and_reads_nothing(unreadable: Path, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    recorder = Recorder()
    result = run(TrainOptions(unreadable, runs, dry_run=True), recorder)
    assert isinstance(result, DryRunResult)
    assert result.classes == ("cat", "dog")
    assert result.num_images == {"train": 14, "val": 3, "test": 3, "skipped": 0}
    assert result.plan.facts.trainable_parameters == 2 * 1280 + 2
    texts = [event.text for event in recorder.events if isinstance(event, Said)]
    assert any("model: efficientnet-lite0, ImageNet weights, 224 x 224 px" in one for one in texts)
    assert texts[-1] == (
        "plan: a head on the features of the frozen body, and of a grid over it where that helps; "
        "about 5 s (14 training pictures are too few for the layers below, from 1000 on)"
    )
    assert result.plan.summary in recorder.events
    assert not runs.exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"name": ".hidden"}, "cannot be a run's name"),
        ({"name": "taken"}, "there is a run of that name already"),
    ],
)
def test_a_dry_run_refuses_what_a_training_would(
    more: dict[str, str], message: str, unreadable: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    (runs / "taken").mkdir(parents=True)
    with pytest.raises(UsageError, match=message):
        run(TrainOptions(unreadable, runs, dry_run=True, **more), Recorder())  # type: ignore[arg-type]


class StopsAtTheRun(Recorder):
    """Ends the training as soon as its run is there."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def report(self, event: Event) -> None:
        super().report(event)
        if isinstance(event, RunOpened):
            raise self._error


@pytest.mark.parametrize(
    ("error", "status"),
    [(KeyboardInterrupt(), "interrupted"), (UsageError("a fault"), "failed")],
)
def test_who_watches_hears_of_a_run_and_of_its_end(
    error: BaseException, status: str, tmp_path: Path
) -> None:
    folder = write_classes(tmp_path / "pets", {"cat": 4, "dog": 4})
    recorder = StopsAtTheRun(error)
    with pytest.raises(type(error)):
        run(TrainOptions(folder, tmp_path / "runs"), recorder)
    opened, closed = (
        event for event in recorder.events if isinstance(event, RunOpened | RunClosed)
    )
    assert isinstance(opened, RunOpened)
    assert opened.folder == tmp_path / "runs" / "pets-1"
    assert closed == RunClosed(status)
    assert opened.settings["train"]["seed"] == 0
