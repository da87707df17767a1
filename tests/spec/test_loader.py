"""A spec file and options -> a Spec, or every fault at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcli.errors import SpecError, UsageError
from dlcli.spec.loader import dump_spec, load_spec
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


SIZE = "must be a whole number of pixels or [height, width], 32-1024, got"
BROKEN = [
    ("trian: {}", "1:1 trian is no setting. Did you mean train?"),
    ("xyz: 1", "1:1 xyz is no setting. Known: data, model, train."),
    ("Data: {}", "1:1 Data is no setting. Did you mean data?"),
    ("train:\n  efort: quick", "2:3 train.efort is no setting. Did you mean effort?"),
    ("train: {epochs: 3}", "1:9 train.epochs is no setting. Known: effort."),
    ("model:\n  wieghts: imagenet", "2:3 model.wieghts is no setting. Did you mean weights?"),
    ("data:\n  split:\n    vall: 0.1", "3:5 data.split.vall is no setting. Did you mean val?"),
    ("data:\n  7: x", "2:3 data.7 is no setting."),
    ("data: 5", "1:1 data must be a map of settings, got 5"),
    ("data:", "1:1 data must be a map of settings, got None"),
    ("data: []", "1:1 data must be a map of settings, got []"),
    ("data:\n  split: 0.2", "2:3 data.split must be a map of settings, got 0.2"),
    ("data:\n  split: [0.7, 0.3]", "2:3 data.split must be a map of settings, got [0.7, 0.3]"),
    ("data:\n  image_size: '224'", f"2:3 data.image_size {SIZE} '224'"),
    ("data:\n  image_size: 224.0", f"2:3 data.image_size {SIZE} 224.0"),
    ("data:\n  image_size: yes", f"2:3 data.image_size {SIZE} 'yes'"),
    ("data:\n  image_size: true", f"2:3 data.image_size {SIZE} True"),
    ("data:\n  image_size: 31", f"2:3 data.image_size {SIZE} 31"),
    ("data:\n  image_size: [64, 2000]", f"2:3 data.image_size {SIZE} [64, 2000]"),
    ("data:\n  image_size: {height: 64}", f"2:3 data.image_size {SIZE} {{'height': 64}}"),
    ("data:\n  folder: 5", "2:3 data.folder must be a path, got 5"),
    ("data:\n  folder: [a, b]", "2:3 data.folder must be a path, got ['a', 'b']"),
    ("data:\n  resize: no", "2:3 data.resize must be crop, pad or stretch, got 'no'."),
    ("data:\n  resize: Crop", "got 'Crop'. Did you mean crop?"),
    ("data:\n  resize: [crop]", "2:3 data.resize must be crop, pad or stretch, got ['crop']."),
    ("data:\n  unreadable: eror", "must be skip or error, got 'eror'. Did you mean error?"),
    ("data:\n  split: {val: 0}", "2:11 data.split.val must be more than 0, got 0"),
    ("data:\n  split: {test: 1}", "2:11 data.split.test must be less than 1, got 1"),
    ("data:\n  split: {test: -0.5}", "2:11 data.split.test must be 0 or more, got -0.5"),
    ("data:\n  split: {val: x}", "2:11 data.split.val must be a number, got 'x'"),
    ("data:\n  split: {seed: 1.5}", "2:11 data.split.seed must be a whole number, got 1.5"),
    ("data:\n  split: {seed: 1e3}", "2:11 data.split.seed must be a whole number, got 1000.0"),
    ("data:\n  split: {seed: -1}", "2:11 data.split.seed must be 0 or more, got -1"),
    (
        "data:\n  split: {val: 0.5, test: 0.5}",
        "2:3 data.split must leave some for training, but val + test is 1",
    ),
    ("model:\n  backbone: resnet", "2:3 model.backbone must be efficientnet-lite0, got 'resnet'."),
    ("model:\n  backbone: EfficientNet-Lite0", "Did you mean efficientnet-lite0?"),
    ("train:\n  effort:", "2:3 train.effort must be quick, got None."),
    ("train:\n  effort: {quick: 1}", "2:3 train.effort must be quick, got {'quick': 1}."),
]


@pytest.mark.parametrize(("text", "sentence"), BROKEN, ids=[text for text, _ in BROKEN])
def test_a_fault_names_its_place_key_value_and_remedy(
    tmp_path: Path, text: str, sentence: str
) -> None:
    (found,) = faults(write(tmp_path, text))
    assert found.startswith("dlcli.yaml:")
    assert sentence in found


def test_there_are_many_broken_specs() -> None:
    assert len(BROKEN) >= 30


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
        ("train.effort=fast", "train.effort must be quick, got 'fast'."),
        ("train.efort=quick", "train.efort is no setting. Did you mean effort?"),
        ("trian.effort=quick", "trian is no setting. Did you mean train?"),
        ("data=5", "data must be a map of settings, got 5"),
        ("data.split.val=0.95", "data.split must leave some for training, but val + test is 1.1"),
        ("data.image_size=[64]", f"data.image_size {SIZE} [64]"),
        ("train.effort=", "train.effort must be quick, got None."),
        ("train.effort.x=1", "train.effort must be quick, got {'x': 1}."),
        ("data.resize=no", "data.resize must be crop, pad or stretch, got 'no'."),
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
    with pytest.raises(SpecError, match=r"data must be a map of settings, got 5"):
        load_spec(path, ["data.image_size=100"])


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


def test_a_number_too_long_to_be_written_down_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, f"data:\n  split: {{seed: 0x{'f' * 5000}}}\n")
    with pytest.raises(SpecError, match=r"data\.split\.seed must be"):
        load_spec(path)
