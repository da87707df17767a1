"""What a user is told about a broken spec, word for word: broken_specs.txt holds the table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dlcli.errors import SpecError
from dlcli.spec import loader, schema
from dlcli.spec.loader import load_spec

TABLE = Path(__file__).with_name("broken_specs.txt").read_text(encoding="utf-8")
CASES = [
    tuple(case.split("\n-----\n"))
    for case in re.sub(r"^#####.*\n", "", TABLE.partition("\n\n")[2], flags=re.MULTILINE)
    .removesuffix("\n=====\n")
    .split("\n=====\n")
]


def faults(path: Path, *overrides: str) -> list[str]:
    """The sentence of each fault, without the folder of the file."""
    with pytest.raises(SpecError) as caught:
        load_spec(path, overrides)
    return [fault.replace(f"{path.parent}/", "") for fault in caught.value.faults]


def write(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "dlcli.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(("text", "sentences"), CASES, ids=[text for text, _ in CASES])
def test_a_fault_names_its_place_key_value_and_remedy(
    tmp_path: Path, text: str, sentences: str
) -> None:
    assert faults(write(tmp_path, f"{text}\n")) == sentences.split("\n")


def test_there_are_many_broken_specs_and_each_names_a_line() -> None:
    assert len(CASES) >= 200
    assert len({text for text, _ in CASES}) == len(CASES)
    for _, sentences in CASES:
        for sentence in sentences.split("\n"):
            assert re.match(r"dlcli\.yaml:\d+:\d+ \S", sentence)


def test_no_sentence_holds_a_class_of_ours_or_the_english_of_pydantic() -> None:
    classes = [
        name
        for module in (schema, loader)
        for name, value in vars(module).items()
        if isinstance(value, type)
    ]
    assert len(classes) > 15
    foreign = (
        "Input should",
        "Extra inputs",
        "Field required",
        "Value error",
        "ruamel",
    )
    for _, sentences in CASES:
        assert not any(word in sentences for word in foreign), sentences
        assert not re.search(rf"\b({'|'.join(classes)})\b", sentences), sentences


ANCHORS = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            ANCHORS,
            "dlcli.yaml: anchors and aliases make this endless or huge: write it out",
        ),
        (
            b"# " + b"x" * 10_000_000,
            "dlcli.yaml: more than 200,000 bytes are no spec: name another file",
        ),
        (
            b"\x89PNG\r\n\x1a\n" + bytes(100),
            "dlcli.yaml: this is no UTF-8 text (byte 0): save it as UTF-8",
        ),
        (
            "train: {epochs: 3}".encode("utf-16"),
            "dlcli.yaml: this is no UTF-8 text (byte 0): save it as UTF-8",
        ),
        (
            b"train: {epochs: 3\0}",
            "dlcli.yaml: this is no YAML (unacceptable character #x0000: "
            "special characters are not allowed)",
        ),
    ],
    ids=["anchors", "huge", "picture", "utf-16", "zero byte"],
)
def test_a_file_that_is_no_spec_at_all(tmp_path: Path, content: str | bytes, sentence: str) -> None:
    assert faults(write(tmp_path, content)) == [sentence]


LAYERS = """\
model:
  layers:
    - relu
    - flatten
"""


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("train.epochs=1.5", "train.epochs must be a whole number, got 1.5"),
        ("train.epcohs=3", "train.epcohs is no setting. Did you mean epochs?"),
        ("epochs=3", "epochs is no setting. Did you mean train.epochs?"),
        ("data.color=gray", "data.color must be rgb or grayscale, got 'gray'. Did you mean "),
        (
            "model.layers[0].relo=1",
            "model.layers[0] is 'relu', which holds no relo: set model.layers[0] itself",
        ),
        ("model.layers[0]=relo", "model.layers[0] is no layer: got 'relo'. Did you mean relu?"),
        ("model.layers[1]=relu", "model.layers[1] leaves (224, 224, 3), and the classifier takes"),
        ("model.layers[0]={dense: 3}", "model.layers[0].dense takes (features,) or (steps, "),
        ("model.layers[2]=relu", "there is no item 2: the list has the items 0 to 1"),
        ("model.layers.2.relu=1", "there is no item 2: the list has the items 0 to 1"),
        ("model.layers.last=relu", "there is no item last: the list has the items 0 to 1"),
        ("model.layers[0].relu.x=1", "model.layers[0] is 'relu', which holds no relu: set "),
        ("model.layers=[]", "model.layers must hold a layer"),
        ("train.optimizer=adm", "train.optimizer is no optimizer: got 'adm'. Did you mean adam?"),
        ("train.epochs=[3", "a comma or the closing ] is missing before this"),
    ],
)
def test_a_fault_of_an_option_names_the_option(
    tmp_path: Path, override: str, sentence: str
) -> None:
    (found,) = faults(write(tmp_path, LAYERS), override)
    assert found.startswith(f"--set {override}: {sentence}")


def test_an_item_of_an_empty_list_does_not_exist(tmp_path: Path) -> None:
    found = faults(write(tmp_path, "augment: []"), "augment[0]=random_flip")
    assert found == ["--set augment[0]=random_flip: there is no item 0: it is empty"]


SEVERAL = """\
train:
  epochs: 1.5
  optimzer: sgd
augment:
  - random_flop
data:
  image_size: 64
  resize: crp
model:
  layers:
    - conv2d: {filters: 8, kernal_size: 3}
    - flatten
    - dropout: 2
"""


def test_faults_of_all_sections_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    assert faults(write(tmp_path, SEVERAL)) == [
        "dlcli.yaml:2:3 train.epochs must be a whole number, got 1.5",
        "dlcli.yaml:3:3 train.optimzer is no setting. Did you mean optimizer?",
        "dlcli.yaml:5:5 augment[0] is no augmentation: got 'random_flop'. Did you mean "
        "random_flip?",
        "dlcli.yaml:8:3 data.resize must be crop, pad or stretch, got 'crp'. Did you mean crop?",
        "dlcli.yaml:11:28 model.layers[0].conv2d.kernal_size is no argument of Conv2D. "
        "Did you mean kernel_size?",
        "dlcli.yaml:13:7 model.layers[2].dropout must be a number from 0 to 1, got 2",
    ]


def test_faults_of_options_stand_among_those_of_the_file(tmp_path: Path) -> None:
    found = faults(
        write(tmp_path, SEVERAL), "data.resize=stretched", "train.epochs=0", "data.seed=1"
    )
    assert [fault.split(" ")[0] for fault in found if fault.startswith("dlcli")] == [
        f"dlcli.yaml:{place}" for place in ("3:3", "5:5", "11:28", "13:7")
    ]
    assert [fault for fault in found if fault.startswith("--set")] == [
        "--set train.epochs=0: train.epochs must be 1 or more, got 0",
        "--set data.seed=1: data.seed is no setting. Did you mean train.seed?",
        "--set data.resize=stretched: data.resize must be crop, pad or stretch, got 'stretched'. "
        "Did you mean stretch?",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("model: {layers: flatten}\ntrain: {epochs: 3}", "model.layers must be a list of layers"),
        ("model: {layrs: [flatten]}\ntrain: {epochs: 3}", "model.layrs is no setting. Did you"),
        ("model: {wieghts: random}\naugment: [random_flip]", "model.wieghts is no setting. Did"),
        ("data: {image_size: 2}\nmodel: {layers: [reshape: [12]]}", "data.image_size must be a"),
        (
            "data: {image_sise: 64}\nmodel: {layers: [reshape: [12288]]}",
            "data.image_sise is no setting. Did you mean image_size?",
        ),
        ("data: {image_sise: 64}\nmodel: {backbone: vgg16}", "data.image_sise is no setting."),
    ],
)
def test_a_fault_brings_no_others_that_might_be_none_were_it_mended(
    tmp_path: Path, text: str, sentence: str
) -> None:
    (found,) = faults(write(tmp_path, text))
    assert sentence in found


def test_1e_3_is_a_number_and_no_a_text(tmp_path: Path) -> None:
    text = "model: {weights: random}\ntrain: {learning_rate: 1e-3}\ndata: {folder: no}"
    spec = load_spec(write(tmp_path, text))
    assert spec.train.learning_rate == 0.001
    assert spec.data.folder == tmp_path / "no"
