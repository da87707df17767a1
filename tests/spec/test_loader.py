"""A spec file and options -> a Spec, or every fault at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcli.errors import SpecError, UsageError
from dlcli.spec.faults import Fault
from dlcli.spec.loader import dump_spec, load_spec, read_spec
from dlcli.spec.schema import Spec


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "dlcli.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(path: Path | None, *overrides: str) -> list[str]:
    """The sentence of each fault, without the folder of the file."""
    with pytest.raises(SpecError) as caught:
        load_spec(path, overrides)
    folder = f"{path.parent}/" if path else ""
    return [fault.replace(folder, "") for fault in caught.value.faults]


def test_all_faults_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
train:
  efort: quick
data:
  resize: crp
  split:
    seed: -1
  image_size: 5
extra: 1
model:
  backbone: vgg
"""
    found = faults(write(tmp_path, text))
    places = [fault.split()[0] for fault in found]
    assert places == [
        f"dlcli.yaml:{place}" for place in ("2:3", "4:3", "6:5", "7:3", "8:1", "10:3")
    ]


def test_the_message_counts_the_faults_and_says_where_all_settings_are(tmp_path: Path) -> None:
    path = write(tmp_path, "a: 1\nb: 2")
    with pytest.raises(SpecError, match=r"\n2 faults\. See every setting: dlcli init --template"):
        load_spec(path)
    with pytest.raises(SpecError, match=r"\n1 fault\. See"):
        load_spec(write(tmp_path, "a: 1"))


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("train.effort=fast", "train.effort must be quick, balanced or best, got 'fast'"),
        ("train.efort=quick", "train.efort is no setting. Did you mean effort?"),
        ("trian.effort=quick", "trian is no setting. Did you mean train?"),
        ("data=5", "data must be a map of settings, got 5"),
        ("data.split.val=0.95", "data.split must leave some for training, but val + test is 1.1"),
        (
            "data.image_size=[64]",
            "data.image_size must be a whole number of pixels or [height, width], 8-1024, got [64]",
        ),
        ("train.effort=", "train.effort must be quick, balanced or best, got None"),
        ("train.effort.x=1", "train.effort must be quick, balanced or best, got {'x': 1}"),
        ("data.resize=no", "data.resize must be crop, pad or stretch, got 'no'"),
    ],
)
def test_a_fault_of_an_option_names_the_option(override: str, sentence: str) -> None:
    (found,) = faults(None, override)
    assert found.startswith(f"--set {override}: {sentence}")


def test_a_faulty_option_is_told_apart_from_faults_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, "data:\n  resize: crp\n")
    option, file = sorted(faults(path, "data.split.seed=-1"))
    assert option.startswith("--set data.split.seed=-1: data.split.seed must be 0 or more")
    assert file.startswith("dlcli.yaml:2:3 data.resize must be")


def test_an_option_that_is_no_yaml_is_named() -> None:
    (found,) = faults(None, "data.image_size=[224")
    assert "data.image_size=[224" in found


def test_an_option_of_two_lines_does_not_lose_the_second() -> None:
    with pytest.raises((SpecError, UsageError)):
        load_spec(None, ["data.image_size=100\nresize: pad"])


def test_an_option_below_a_key_that_is_no_map_does_not_hide_that_fault(tmp_path: Path) -> None:
    path = write(tmp_path, "data: 5\n")
    (found,) = faults(path, "data.image_size=100")
    assert found == (
        "--set data.image_size=100: data is 5, which holds no image_size: set data itself"
    )


def test_an_option_below_a_word_is_no_option_without_effect(tmp_path: Path) -> None:
    path = write(tmp_path, "model: {weights: random}\ntrain: {optimizer: sgd}\n")
    (found,) = faults(path, "train.optimizer.sgd.momentum=0.9")
    assert found.endswith(
        "train.optimizer is 'sgd', which holds no sgd: set train.optimizer itself"
    )


@pytest.mark.parametrize("override", ["nothing", "=3", "a..b=3", ".a=3", "a.=3", ""])
def test_an_option_without_key_and_value_is_a_usage_error(override: str) -> None:
    with pytest.raises(UsageError, match=r"--set: .* sets nothing\. Write --set train\.effort"):
        load_spec(None, [override])


def test_options_lie_over_the_file_and_leave_the_rest(tmp_path: Path) -> None:
    path = write(tmp_path, "data:\n  resize: pad\n  split: {val: 0.2, seed: 7}\n")
    spec = load_spec(path, ["data.split.val=1e-1", "data.image_size=[96, 128]"])
    assert spec.data.split.val == 0.1
    assert spec.data.split.seed == 7
    assert spec.data.resize == "pad"
    assert spec.data.image_size == (96, 128)


def test_the_last_of_two_options_counts() -> None:
    assert load_spec(None, ["data.resize=pad", "data.resize=stretch"]).data.resize == "stretch"


def test_an_option_with_spaces_and_equals_signs_is_read() -> None:
    spec = load_spec(None, [" data.folder = a=b c"])
    assert spec.data.folder == Path("a=b c")


@pytest.mark.parametrize("text", ["", "# comment only\n", "{}", "data: {}\ntrain: {}\nmodel: {}"])
def test_an_empty_file_is_all_defaults(tmp_path: Path, text: str) -> None:
    assert load_spec(write(tmp_path, text)) == Spec()


def test_no_file_is_all_defaults() -> None:
    assert load_spec(None) == Spec()


def test_a_missing_file_and_a_folder_are_usage_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            load_spec(path)


def test_a_merge_key_is_as_good_as_written_out(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, "data:\n  split:\n    <<: {val: 0.3}\n    seed: 1\n"))
    assert (spec.data.split.val, spec.data.split.seed) == (0.3, 1)


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("data.image_size=[96, 128]", "data.resize=pad"),
        ("data.split={val: 0.25, test: 0, seed: 9}", "data.unreadable=error"),
        ("data.folder='no: #{x}'",),
        ("data.folder=/tmp/日本 é",),
        ("data.folder='123'",),
        ("data.folder='null'",),
        ("data.folder='true'",),
        ("data.folder='2026-01-31'",),
        ("model.weights=random", "train.optimizer={sgd: {momentum: 0.9}}", "train.epochs=3"),
        ("model.weights=random", "augment=[random_flip: horizontal, random_rotation: 0.1]"),
        ("model.layers=[relu, {repeat: 2, layers: [{dropout: 0.1}]}, flatten]",),
        ("model.layers=[flatten]", "train.early_stopping=none", "train.learning_rate=1e-3"),
    ],
)
def test_what_dump_spec_writes_is_loaded_as_the_same_spec(
    tmp_path: Path, overrides: tuple[str, ...]
) -> None:
    spec = load_spec(None, overrides)
    if spec.data.folder is not None:
        absolute = spec.data.model_copy(update={"folder": Path("/") / spec.data.folder})
        spec = spec.model_copy(update={"data": absolute})
    assert load_spec(write(tmp_path, dump_spec(spec))) == spec


def test_a_folder_that_is_no_utf8_survives_the_round_trip(tmp_path: Path) -> None:
    spec = Spec().model_copy(
        update={"data": Spec().data.model_copy(update={"folder": Path("/pics/\udcff")})}
    )
    path = tmp_path / "dlcli.yaml"
    path.write_bytes(dump_spec(spec).encode("utf-8", "surrogateescape"))
    assert load_spec(path) == spec


def test_a_relative_folder_counts_from_the_spec_file(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, "data:\n  folder: ../pictures"))
    assert spec.data.folder == tmp_path / "../pictures"


@pytest.mark.parametrize("name", ["left-out.txt", "./check/findings.json"])
def test_a_relative_list_of_exclusions_counts_from_the_spec_file(tmp_path: Path, name: str) -> None:
    spec = load_spec(write(tmp_path, f"data:\n  exclude: {name}"))
    assert spec.data.exclude == tmp_path / name
    spec = load_spec(write(tmp_path, "data:\n  exclude: other"), [f"data.exclude={name}"])
    assert spec.data.exclude == Path(name)


def test_a_run_to_split_from_is_looked_for_beside_the_spec_file(tmp_path: Path) -> None:
    (tmp_path / "runs" / "a-1").mkdir(parents=True)
    file = write(tmp_path, "data:\n  split_from: runs/a-1")
    assert load_spec(file).data.split_from == str(tmp_path / "runs" / "a-1")
    assert load_spec(file, ["data.split_from=runs/a-1"]).data.split_from == "runs/a-1"
    file = write(tmp_path, "data:\n  split_from: a-1")
    assert load_spec(file).data.split_from == "a-1"


def test_an_absolute_folder_stays(tmp_path: Path) -> None:
    assert load_spec(write(tmp_path, "data: {folder: /pics}")).data.folder == Path("/pics")


def test_a_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/mia")
    monkeypatch.setenv("USERPROFILE", "/home/mia")
    path = write(tmp_path, "data: {folder: ~/pics}")
    assert load_spec(path).data.folder == Path("/home/mia/pics")


@pytest.mark.parametrize("override", ["data.folder=pics", "data={folder: pics}"])
def test_a_folder_from_an_option_counts_from_the_working_folder(
    tmp_path: Path, override: str
) -> None:
    assert load_spec(write(tmp_path, "train: {}"), [override]).data.folder == Path("pics")


@pytest.mark.parametrize("text", ["data: &a {folder: *a}", "data: &a {resize: pad, folder: *a}"])
def test_a_reference_to_itself_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SpecError, match=r"dlcli\.yaml"):
        load_spec(write(tmp_path, text))


def test_no_stays_a_text(tmp_path: Path) -> None:
    assert load_spec(write(tmp_path, "data: {folder: no}")).data.folder == tmp_path / "no"


def test_a_folder_named_by_a_date_stays_a_text(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, "data: {folder: 2026-01-31}"))
    assert spec.data.folder == tmp_path / "2026-01-31"


def test_layers_leave_no_backbone_and_begin_at_random(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, "model: {layers: [flatten]}"))
    assert (spec.model.backbone, spec.model.weights) == (None, "random")
    assert not spec.trains_head_only


def test_an_option_changes_an_item_of_a_list_and_leaves_the_others(tmp_path: Path) -> None:
    path = write(tmp_path, "model: {layers: [{dropout: 0.5}, flatten, {dense: {units: 4}}]}")
    spec = load_spec(path, ["model.layers[0].dropout=0.1", "model.layers.2.dense.units=8"])
    assert spec.model.layers == [{"dropout": 0.1}, "flatten", {"dense": {"units": 8}}]


@pytest.mark.parametrize("weights", ["random", "imagenet", "ours-1"])
def test_weights_that_are_no_file_beside_the_spec_stay_a_name(tmp_path: Path, weights: str) -> None:
    (tmp_path / "random").mkdir()
    assert load_spec(write(tmp_path, f"model: {{weights: {weights}}}")).model.weights == weights


def test_a_weights_file_counts_from_the_spec_file(tmp_path: Path) -> None:
    (tmp_path / "own.keras").touch()
    path = write(tmp_path, "model: {weights: own.keras}")
    assert load_spec(path).model.weights == str(tmp_path / "own.keras")
    assert load_spec(path, ["model.weights=own.keras"]).model.weights == "own.keras"


def test_what_was_given_is_known_with_its_place(tmp_path: Path) -> None:
    path = write(tmp_path, "train:\n  seed: 3\n")
    source = read_spec(path, ["data.resize=pad"])
    assert source.given == {("train",), ("train", "seed"), ("data",), ("data", "resize")}
    error = source.error(
        Fault(("data", "resize"), "is wrong"), Fault(("train", "seed"), "is wrong too")
    )
    assert error.faults == (
        "--set data.resize=pad: data.resize is wrong",
        f"{path}:2:3 train.seed is wrong too",
    )


def test_a_number_too_long_to_be_written_down_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, f"data:\n  split: {{seed: 0x{'f' * 5000}}}\n")
    with pytest.raises(SpecError, match=r"data\.split\.seed must be"):
        load_spec(path)
