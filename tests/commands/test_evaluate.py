"""dlcli evaluate: which pictures are meant."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from dlcli.commands.evaluate import EvaluateOptions, require_gates, run, write_files
from dlcli.errors import DataError, GateError, UsageError
from dlcli.events import Event, NullReporter, Said, Warned
from tests.conftest import Command


class Heard:
    """What is said and warned of."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def report(self, event: Event) -> None:
        if isinstance(event, Said | Warned):
            self.lines.append(event.text)


def evaluate(target: Path | None, trained: Path, split: str | None = None) -> tuple[str, int]:
    """The source of the report and the number of pictures."""
    options = EvaluateOptions(target, trained.parent, str(trained), split)
    result = run(options, NullReporter())
    return result.source, result.report.num_images


@pytest.fixture
def split_folder(animals: Path, tmp_path: Path) -> Path:
    """A folder with train/ and test/ of two classes."""
    for split, numbers in (("train", slice(0, 4)), ("test", slice(4, 7))):
        for name in ("cat", "lion"):
            target = tmp_path / "field" / split / name
            target.mkdir(parents=True)
            for path in sorted((animals / name).iterdir())[numbers]:
                shutil.copy(path, target)
    return tmp_path / "field"


def test_the_run_s_own_test_pictures(trained_run: Path) -> None:
    description = json.loads((trained_run / "run.json").read_text())
    source, num_images = evaluate(None, trained_run)
    assert source == f"test of {description['data']['folder']}"
    assert num_images == description["data"]["num_images"]["test"]


def test_the_run_s_val_pictures(trained_run: Path) -> None:
    assert evaluate(None, trained_run, "val")[0].startswith("val of ")


def test_the_test_part_of_a_split_folder(split_folder: Path, trained_run: Path) -> None:
    assert evaluate(split_folder, trained_run) == (f"test of {split_folder}", 6)


def test_a_part_that_is_not_there(split_folder: Path, trained_run: Path) -> None:
    with pytest.raises(UsageError, match="no val part"):
        evaluate(split_folder, trained_run, "val")


def test_a_split_of_a_folder_without_any(animals: Path, trained_run: Path) -> None:
    with pytest.raises(UsageError, match="not split"):
        evaluate(animals, trained_run, "test")


def test_an_artefact_has_no_pictures_of_its_own(trained_run: Path, tmp_path: Path) -> None:
    alone = shutil.copytree(trained_run / "model", tmp_path / "alone")
    with pytest.raises(UsageError, match="dlcli evaluate FOLDER"):
        evaluate(None, alone)


def test_only_unreadable_pictures(tmp_path: Path, trained_run: Path) -> None:
    (tmp_path / "field" / "cat").mkdir(parents=True)
    (tmp_path / "field" / "cat" / "a.jpg").write_text("text")
    with pytest.raises(DataError, match="none of the pictures can be used"):
        evaluate(tmp_path / "field", trained_run)


# --- manifests, and classes that are missing or foreign ---


@pytest.fixture
def manifest(animals: Path, tmp_path: Path) -> Path:
    """Two pictures of each of two of the five classes, one named in full, and one that is gone."""
    pictures = [path for name in ("lion", "cat") for path in sorted((animals / name).iterdir())[:2]]
    (tmp_path / "field").mkdir()
    rows = ["seen_by,label,path"]
    for number, path in enumerate(pictures):
        shutil.copy(path, tmp_path / "field" / f"{number}.jpg")
        named = f"../field/{number}.jpg" if number else tmp_path / "field" / "0.jpg"
        rows.append(f"me,{path.parent.name},{named}")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "field.csv").write_text("\n".join([*rows, "me,dog,gone.jpg", ""]))
    return tmp_path / "lists" / "field.csv"


def test_a_manifest_is_scored_like_a_folder_of_the_same_pictures(
    manifest: Path, trained_run: Path, tmp_path: Path
) -> None:
    for number in range(4):
        target = tmp_path / "folder" / ("lion" if number < 2 else "cat")
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / "field" / f"{number}.jpg", target)
    heard = Heard()
    options = EvaluateOptions(manifest, trained_run.parent, str(trained_run))
    by_manifest = run(options, heard)
    by_folder = run(replace(options, target=tmp_path / "folder"), NullReporter())
    assert by_manifest.source == str(manifest)
    assert (by_manifest.report.num_images, by_folder.report.num_images) == (4, 4)
    assert by_manifest.report.accuracy == by_folder.report.accuracy
    assert by_manifest.report.log_loss == pytest.approx(by_folder.report.log_loss)
    assert [(one.path, one.reason) for one in by_manifest.skipped] == [
        ("gone.jpg", "no such file (line 6 of field.csv)")
    ]
    assert "columns not used: seen_by" in heard.lines


def test_classes_without_pictures_keep_their_place(manifest: Path, trained_run: Path) -> None:
    result = run(EvaluateOptions(manifest, trained_run.parent, str(trained_run)), NullReporter())
    support = {one.name: one.support for one in result.report.classes}
    assert support == {"cat": 2, "dog": 0, "elephant": 0, "lion": 2, "tiger": 0}
    assert result.report.accuracy == 1


def test_what_is_for_training_alone_is_not_offered(
    animals: Path, trained_run: Path, tmp_path: Path
) -> None:
    rows = [f"{path},cat,train" for path in sorted((animals / "cat").iterdir())[:3]]
    (tmp_path / "parts.csv").write_text("\n".join(["path,label,split", *rows, ""]))
    with pytest.raises(UsageError, match="no val part here") as error:
        evaluate(tmp_path / "parts.csv", trained_run)
    assert error.value.fix is not None
    assert error.value.fix.startswith("All of it is for training")


def test_the_parts_of_a_manifest(animals: Path, trained_run: Path, tmp_path: Path) -> None:
    cats, lions = (sorted((animals / name).iterdir())[:3] for name in ("cat", "lion"))
    rows = [
        f"{path},{path.parent.name},{split}"
        for path, split in zip([*cats, *lions], ["train", "valid", "Testing"] * 2, strict=True)
    ]
    (tmp_path / "parts.csv").write_text("\n".join(["path,label,split", *rows, ""]))
    source = str(tmp_path / "parts.csv")
    assert evaluate(tmp_path / "parts.csv", trained_run) == (f"test of {source}", 2)
    assert evaluate(tmp_path / "parts.csv", trained_run, "val") == (f"val of {source}", 2)


@pytest.mark.parametrize("is_manifest", [False, True])
def test_a_class_that_the_run_does_not_know_is_refused_by_name(
    animals: Path, trained_run: Path, tmp_path: Path, is_manifest: bool
) -> None:
    target = shutil.copytree(animals / "tiger", tmp_path / "field" / "tigger").parent
    if is_manifest:
        rows = [f"{path},tigger" for path in sorted((target / "tigger").iterdir())]
        target = tmp_path / "field.csv"
        target.write_text("\n".join(["path,label", *rows]))
    with pytest.raises(DataError) as caught:
        evaluate(target, trained_run)
    assert str(caught.value) == (
        f"{target}: the run does not know tigger. Did you mean tiger? "
        "Its classes are cat, dog, elephant, lion, tiger."
    )


def test_a_faulty_manifest_is_refused_with_its_lines(tmp_path: Path, trained_run: Path) -> None:
    (tmp_path / "field.csv").write_text("path,label\na.jpg,\n")
    with pytest.raises(DataError, match=r"^field\.csv:2 the label is empty\n1 fault\.$"):
        evaluate(tmp_path / "field.csv", trained_run)


def test_a_run_trained_from_a_manifest_finds_its_own_pictures(
    animals: Path, tmp_path: Path, dlcli: Command
) -> None:
    paths = [path for name in ("cat", "lion") for path in sorted((animals / name).iterdir())]
    (tmp_path / "pics").mkdir()
    rows = []
    for number, path in enumerate(paths):
        shutil.copy(path, tmp_path / "pics" / f"{number}.jpg")
        rows.append(
            f"{'pics' if number % 2 else tmp_path / 'pics'}/{number}.jpg,{path.parent.name}"
        )
    (tmp_path / "labels.csv").write_text("\n".join(["path,label", *rows]))
    runs = tmp_path / "runs"
    done = dlcli("train", tmp_path / "labels.csv", "--runs-dir", runs, "--json")
    assert done.returncode == 0, done.stderr
    num_images = json.loads(done.stdout)["num_images"]["test"]
    assert num_images > 0
    assert evaluate(None, runs / "labels-1") == (f"test of {tmp_path}", num_images)


# --- gates, a baseline, and how val and test agree ---


@pytest.fixture
def field(animals: Path, tmp_path: Path) -> Path:
    """Three pictures of each of two classes: one of each is under the other's name."""
    for name, other in (("cat", "lion"), ("lion", "cat")):
        paths = sorted((animals / name).iterdir())[:3]
        for number, path in enumerate(paths):
            target = tmp_path / "field" / (name if number else other)
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    return tmp_path / "field"


def options_for(trained: Path, target: Path | None = None, **more: object) -> EvaluateOptions:
    return replace(EvaluateOptions(target, trained.parent, str(trained)), **more)  # type: ignore[arg-type]


def test_gates_are_judged_on_the_report(field: Path, trained_run: Path) -> None:
    options = options_for(
        trained_run,
        field,
        minima=("num_images=6", "accuracy=0.9", "recall:cat=60%", "recall:dog=0.1"),
        maxima=("ece=1", "log_loss=0"),
    )
    result = run(options, NullReporter())
    assert result.report.accuracy == pytest.approx(4 / 6)  # two labels are wrong
    assert [(gate.metric, gate.passed) for gate in result.gates] == [
        ("num_images", True),
        ("accuracy", False),
        ("recall:cat", True),
        ("recall:dog", False),  # there is no dog: undefined does not pass
        ("ece", True),
        ("log_loss", False),
    ]
    with pytest.raises(GateError) as error:
        require_gates(result)
    assert error.value.exit_code == 6
    assert str(error.value) == (
        f"{trained_run}: 3 of 6 gates are not met: accuracy, recall:dog, log_loss. "
        "The report says where it fails."
    )


def test_gates_that_are_met_are_no_error(field: Path, trained_run: Path) -> None:
    require_gates(run(options_for(trained_run, field, minima=("accuracy=0.5",)), NullReporter()))


def test_a_gate_on_a_class_that_there_is_not_is_refused_before_any_work(
    trained_run: Path,
) -> None:
    heard = Heard()
    with pytest.raises(UsageError, match="there is no class 'tigger'"):
        run(options_for(trained_run, minima=("recall:tigger=0.9",)), heard)
    assert heard.lines == [str(trained_run)]


def with_labels_swapped(trained: Path, folder: Path, one: str, other: str) -> Path:
    """The run's model alone, two of its classes under each other's name."""
    alone = shutil.copytree(trained / "model", folder)
    document = json.loads((alone / "model.json").read_text())
    swap = {one: other, other: one}
    document["class_names"] = [swap.get(name, name) for name in document["class_names"]]
    (alone / "model.json").write_text(json.dumps(document))
    return alone


def test_a_baseline_is_asked_about_the_same_pictures(
    field: Path, trained_run: Path, tmp_path: Path
) -> None:
    worse = with_labels_swapped(trained_run, tmp_path / "worse", "cat", "lion")
    options = options_for(worse, field, baseline=str(trained_run), max_drop="0.5%")
    heard = Heard()
    result = run(options, heard)
    found = result.comparison
    assert found is not None
    assert (found.run, found.baseline, found.num_images) == (str(worse), str(trained_run), 6)
    assert (found.only_run_right, found.only_baseline_right) == (2, 4)
    assert (found.both_right, found.both_wrong) == (0, 0)
    assert found.difference == pytest.approx(-1 / 3)
    assert found.p_value == pytest.approx(2 * (1 + 6 + 15) / 2**6)
    (gate,) = result.gates
    assert (gate.metric, gate.minimum, gate.maximum) == ("accuracy_drop", None, 0.005)
    assert gate.value == pytest.approx(1 / 3)
    assert not gate.passed
    assert gate.detail == "4 lost, 2 gained"
    assert f"baseline: {trained_run}" in heard.lines
    told = [line for line in heard.lines if "trained on" in line]
    assert len(told) == 1  # the artefact that stands alone does not know what it was trained on
    assert f"trained on by {trained_run}: its numbers flatter" in told[0]


@pytest.mark.parametrize(
    ("drop", "passed"), [("33.3%", False), ("0.34", True), ("1", True), ("0", False)]
)
def test_a_drop_is_absolute(
    field: Path, trained_run: Path, tmp_path: Path, drop: str, passed: bool
) -> None:
    worse = with_labels_swapped(trained_run, tmp_path / "worse", "cat", "lion")
    options = options_for(worse, field, baseline=str(trained_run), max_drop=drop)
    assert run(options, NullReporter()).gates[0].passed is passed


def test_what_is_better_than_its_baseline_has_not_dropped(
    field: Path, trained_run: Path, tmp_path: Path
) -> None:
    worse = with_labels_swapped(trained_run, tmp_path / "worse", "cat", "lion")
    for baseline in (worse, trained_run):
        options = options_for(trained_run, field, baseline=str(baseline), max_drop="0")
        (gate,) = run(options, NullReporter()).gates
        assert gate.passed
        assert gate.value == pytest.approx(-1 / 3 if baseline == worse else 0)


def test_a_baseline_that_does_not_know_a_class_is_named(
    field: Path, trained_run: Path, tmp_path: Path
) -> None:
    other = with_labels_swapped(trained_run, tmp_path / "other", "cat", "panther")
    with pytest.raises(DataError, match=f"the baseline {other} does not know cat"):
        run(options_for(trained_run, field, baseline=str(other)), NullReporter())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"max_drop": "1%"}, "Name the run with --baseline"),
        ({"max_drop": "2", "baseline": "x"}, "no accuracy can drop by more than 1"),
        ({"max_drop": "-1%", "baseline": "x"}, "is no number of 0 or more"),
        ({"baseline": "no-such-run"}, "no-such-run: there is no such run"),
        ({"junit": Path("g.xml")}, "--junit g.xml: there is no gate to write of"),
    ],
)
def test_options_that_make_no_sense(trained_run: Path, more: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        run(options_for(trained_run, **more), NullReporter())


def test_val_and_test_are_compared_on_the_own_test_pictures_alone(
    field: Path, trained_run: Path
) -> None:
    stored = json.loads((trained_run / "metrics.json").read_text())
    found = run(options_for(trained_run), NullReporter()).agreement
    assert found is not None
    assert found.val_accuracy == pytest.approx(stored["val"]["accuracy"])
    assert found.test_accuracy == pytest.approx(stored["test"]["accuracy"])
    assert not found.val_flattered
    assert run(options_for(trained_run, split="val"), NullReporter()).agreement is None
    assert run(options_for(trained_run, field), NullReporter()).agreement is None


def with_val_of(trained: Path, folder: Path, correct: int, total: int) -> Path:
    """A copy of the run that says that it was right on so many pictures of val."""
    copy = shutil.copytree(trained, folder)
    numbers = json.loads((copy / "metrics.json").read_text())
    numbers["val"]["confusion_matrix"][0] = [correct, total - correct, 0, 0, 0]
    for row in numbers["val"]["confusion_matrix"][1:]:
        row[:] = [0] * 5
    numbers["val"].update(num_images=total, accuracy=correct / total)
    (copy / "metrics.json").write_text(json.dumps(numbers))
    return copy


def test_where_val_flattered_it_is_said(trained_run: Path, tmp_path: Path) -> None:
    copy = with_val_of(trained_run, tmp_path / "copy", 100, 100)
    with_labels_swapped(copy, tmp_path / "swapped", "cat", "lion")
    shutil.copy(tmp_path / "swapped" / "model.json", copy / "model")
    heard = Heard()
    found = run(options_for(copy), heard).agreement
    assert found is not None
    assert found.test_accuracy < 0.7  # cats and lions are mixed up
    assert found.val_flattered
    assert any("val flattered: 1.000 there" in line for line in heard.lines)


def test_numbers_that_are_gone_are_no_reason_not_to_evaluate(
    trained_run: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(trained_run, tmp_path / "copy")
    (copy / "metrics.json").unlink()
    heard = Heard()
    result = run(options_for(copy), heard)
    assert result.agreement is None
    assert result.report.accuracy is not None
    assert any("val and test cannot be compared" in line for line in heard.lines)


# --- files ---


def test_files_are_written_whole_and_never_over_others(trained_run: Path, tmp_path: Path) -> None:
    files = {"junit": tmp_path / "gates.xml", "markdown": tmp_path / "summary.md"}
    options = options_for(trained_run, minima=("accuracy=0",), **files)
    result = run(options, NullReporter())
    write_files(result, options)
    root = ElementTree.parse(files["junit"]).getroot()  # noqa: S314 - it is our own
    assert (root.get("tests"), root.get("failures")) == ("1", "0")
    assert files["markdown"].read_text().startswith("### Gates passed: ")
    for name, file in files.items():
        alone = options_for(trained_run, minima=("accuracy=0",), **{name: file})
        with pytest.raises(UsageError, match="this file is there already"):
            run(alone, NullReporter())
        file.write_text("old")
        forced = replace(alone, force=True)
        write_files(run(forced, NullReporter()), forced)
        assert file.read_text() != "old"
    assert {path.name for path in tmp_path.iterdir()} == {"gates.xml", "summary.md"}


def test_nothing_is_written_among_the_pictures(field: Path, trained_run: Path) -> None:
    with pytest.raises(UsageError, match="among the pictures"):
        run(options_for(trained_run, field, markdown=field / "summary.md"), NullReporter())


def test_two_files_are_not_one(trained_run: Path, tmp_path: Path) -> None:
    file = tmp_path / "both"
    options = options_for(trained_run, minima=("accuracy=0",), junit=file, markdown=file)
    with pytest.raises(UsageError, match="two files at once"):
        run(options, NullReporter())


# --- engines ---


NETWORK = """
data: {{folder: {folder}, image_size: 32}}
model: {{layers: [{{rescaling: 0.01}}, {{conv2d: {{filters: 8, kernel_size: 3}}}}, relu, flatten]}}
train: {{epochs: 2}}
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["head", "grid", "network"])
def test_keras_gives_the_numbers_of_litert(
    trained_run: Path, animals: Path, tmp_path: Path, kind: str, dlcli: Command
) -> None:
    """A head alone, with and without a grid, takes the backbone with its ImageNet weights; a
    network that Keras trained is opened as it is."""
    trained, target, more = trained_run, animals, ()
    if kind == "grid":
        more = ("--set", "model.pooling=layout", "--effort", "quick")
    if kind == "network":
        target = tmp_path / "network.yaml"
        target.write_text(NETWORK.format(folder=json.dumps(str(animals))))
    if kind != "head":
        done = dlcli("train", target, "--runs-dir", tmp_path, "--name", kind, *more)
        assert done.returncode == 0, done.stderr
        trained = tmp_path / kind
    by_litert, by_keras = (
        run(options_for(trained, engine=engine), NullReporter()) for engine in ("auto", "keras")
    )
    assert by_litert.report.num_images == by_keras.report.num_images > 20
    assert by_litert.report.confusion_matrix == by_keras.report.confusion_matrix
    for metric in ("log_loss", "expected_calibration_error", "calibration_error_before"):
        numbers = [getattr(one.report, metric) for one in (by_litert, by_keras)]
        assert numbers[0] == pytest.approx(numbers[1], abs=1e-4)
    assert by_litert.report.log_loss != by_keras.report.log_loss  # another engine did answer
