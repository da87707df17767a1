"""YAML text -> values and their places."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlcli.errors import SpecError, UsageError
from dlcli.spec.reader import MAX_BYTES, SpecText, parse_value, read_spec_text

BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
)


def read(tmp_path: Path, content: str | bytes) -> SpecText:
    path = tmp_path / "dlcli.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_spec_text(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("off", "off"),
        ("true", True),
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("12", 12),
        ("012", 12),
        ("1:30", "1:30"),
        ("2026-01-31", "2026-01-31"),
        ("'5'", "5"),
        ("null", None),
        ("", None),
        ("[1, [b]]", [1, ["b"]]),
        ("{a: 1}", {"a": 1}),
    ],
)
def test_scalars_are_those_of_yaml_1_2(tmp_path: Path, text: str, value: object) -> None:
    found = read(tmp_path, f"key: {text}").values["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("content", ["", "\n\n", "# nothing but a comment\n", "---\n"])
def test_a_file_without_content_is_an_empty_map(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content).values == {}


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    assert read(tmp_path, b"\xef\xbb\xbfdata: {}").values == {"data": {}}


def test_every_key_and_item_knows_its_line_and_column(tmp_path: Path) -> None:
    text = read(tmp_path, "data:\n  split: {val: 0.2, test: 0.1}\nlist:\n  - a\n  - {b: 1}\n")
    assert text.lines == {
        ("data",): (1, 1),
        ("data", "split"): (2, 3),
        ("data", "split", "val"): (2, 11),
        ("data", "split", "test"): (2, 21),
        ("list",): (3, 1),
        ("list", 0): (4, 5),
        ("list", 1): (5, 5),
        ("list", 1, "b"): (5, 6),
    }


@pytest.mark.parametrize(
    ("location", "place"),
    [
        (("data", "split"), "2:3"),
        (("data", "split", "val"), "2:3"),
        (("data", "nothing", "deeper"), "1:1"),
        (("elsewhere",), "1:1"),
        ((), "1:1"),
    ],
)
def test_a_place_that_is_not_written_is_that_of_the_key_above(
    tmp_path: Path, location: tuple[str, ...], place: str
) -> None:
    text = read(tmp_path, "data:\n  split:\n")
    assert text.place(location) == f"{tmp_path / 'dlcli.yaml'}:{place}"


def test_merge_keys_are_read(tmp_path: Path) -> None:
    text = read(tmp_path, "base: &base {val: 0.2}\nsplit:\n  <<: *base\n  test: 0.1\n")
    assert text.values["split"] == {"val": 0.2, "test": 0.1}


def test_a_number_as_a_key_keeps_its_line(tmp_path: Path) -> None:
    text = read(tmp_path, "data:\n  a: 1\n  7: 2\n")
    assert text.place(("data", "7")).endswith(":3:3")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("data:\n\timage_size: 5", r"dlcli\.yaml:2:1 a tab: YAML is indented with spaces"),
        ("data:\n  a: 1\n  a: 2", r"dlcli\.yaml:3:3 the key a stands twice: leave one out"),
        ("data: [1, 2", r"dlcli\.yaml:1:12 a comma or the closing \] is missing before this"),
        ("data: {a: 1", r"dlcli\.yaml:1:12 a comma or the closing } is missing before this"),
        ("data: 'open", r"dlcli\.yaml:1:\d+ a quote is not closed"),
        ("data: *nowhere", r"dlcli\.yaml:1:7 the alias \*nowhere has no anchor &nowhere above it"),
        ("a: b: c", r"dlcli\.yaml:1:5 no key fits here: see the ':' and"),
        ("a: 1\n---\nb: 2", r"dlcli\.yaml:2:1 a second document begins"),
        (
            "- a\n- b",
            r"dlcli\.yaml:1:1 a spec is a map of data, .* and train, got \['a', 'b'\]",
        ),
        ("a: {b: *nowhere}", r"dlcli\.yaml:1:8 the alias \*nowhere has no anchor"),
        ("a: !!str 5", r"dlcli\.yaml:1:4 a spec takes no tags, got !!str: write the value alone"),
        ("a: ! 5", r"dlcli\.yaml:1:4 a spec takes no tags, got !: write the value alone"),
        ("a: !!int 5", r"dlcli\.yaml:1:4 a spec takes no tags, got !!int: write the value alone"),
        ("a: !ours {b: 1}", r"dlcli\.yaml:1:4 a spec takes no tags, got !ours: write the value"),
        ("a:\n  - b\n c: 1", r"dlcli\.yaml:3:2 this does not line up"),
        ('a: "C:\\pics"', r"dlcli\.yaml:1:8 a \\ begins an escape in double quotes"),
        ("hello", r"dlcli\.yaml:1:1 a spec is a map .* got 'hello'"),
        (BOMB, r"dlcli\.yaml: anchors and aliases make this endless or huge: write it out"),
        ("[" * 2_000, r"dlcli\.yaml:1:33 nested more than 32 deep"),
        (bytes(range(256)), r"dlcli\.yaml: this is no UTF-8 text \(byte 128\)"),
        ("a: café".encode("latin-1"), r"dlcli\.yaml: this is no UTF-8 text \(byte 6\)"),
        (b"a: b\0c", r"dlcli\.yaml: this is no YAML"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), r"dlcli\.yaml: this is no UTF-8 text \(byte 0\)"),
        (b"# " + b"x" * 2_000_000, r"dlcli\.yaml: more than 200,000 bytes are no spec"),
    ],
)
def test_what_is_no_spec_is_refused_with_its_place(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        read(tmp_path, content)


def test_an_alias_used_a_few_times_is_no_bomb(tmp_path: Path) -> None:
    assert read(tmp_path, "a: &a [1]\nb: [*a, *a]").values == {"a": [1], "b": [[1], [1]]}


def test_a_file_without_end_is_refused() -> None:
    endless = Path("/dev/zero")
    if not endless.exists():
        pytest.skip("no /dev/zero here")
    with pytest.raises(SpecError, match=r"more than 200,000 bytes are no spec"):
        read_spec_text(endless)


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    content = b"a: 1\n#" + b"x" * (MAX_BYTES - 6)
    assert read(tmp_path, content).values == {"a": 1}


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing\.yaml: cannot be read: .* Name a \.yaml file"):
        read_spec_text(tmp_path / "nothing.yaml")


def test_a_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be read: .* Name a \.yaml file"):
        read_spec_text(tmp_path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("quick", "quick"),
        ("no", "no"),
        ("1e-3", 0.001),
        ("[192, 256]", [192, 256]),
        ("{val: 0.2}", {"val": 0.2}),
        ("C:\\pictures", "C:\\pictures"),
        ("", None),
    ],
)
def test_an_option_is_one_yaml_value(text: str, value: object) -> None:
    assert parse_value(text) == value
