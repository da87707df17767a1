"""predict in shell scripts: what goes in, what comes out, and where."""

from __future__ import annotations

import csv
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Command

CAT = ROOT / "sample_data" / "cat.jpg"


def lines_of(stdout: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in stdout.splitlines()]


@pytest.fixture
def pictures(tmp_path: Path, animals: Path) -> Path:
    """Six pictures, one of them in a folder below, and a file that is none."""
    folder = tmp_path / "pictures"
    (folder / "below").mkdir(parents=True)
    for name in ("cat", "dog", "tiger"):
        for number, file in enumerate(sorted((animals / name).iterdir())[:2]):
            shutil.copy(file, folder / f"{name}-{number}{file.suffix}")
    shutil.move(folder / "dog-1.jpg", folder / "below" / "dog-1.jpg")
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


def test_a_picture_on_stdin(trained_run: Path, dlcli: Command) -> None:
    with CAT.open("rb") as stdin:
        done = dlcli(
            "predict", "--stdin-image", "camera.jpg", "--run", trained_run, "--json", stdin=stdin
        )
    (line,) = lines_of(done.stdout)
    named = dlcli("predict", CAT, "--run", trained_run, "--json")
    assert line == {**lines_of(named.stdout)[0], "path": "camera.jpg"}
    broken = dlcli("predict", "--stdin-image", "x", "--run", trained_run, "--json", input="no")
    assert broken.returncode == 5
    assert lines_of(broken.stdout)[0]["error"]


def test_a_list_of_paths_in_a_csv(trained_run: Path, pictures: Path, dlcli: Command) -> None:
    listed = pictures / "list.csv"
    listed.write_text("label,path\ncat,cat-0.jpg\ncat,gone.jpg\ndog,below/dog-1.jpg\n")
    done = dlcli("predict", listed, "--run", trained_run)
    assert done.returncode == 5
    paths = [line.split("\t")[0] for line in done.stdout.splitlines()]
    assert paths == [str(pictures / name) for name in ("cat-0.jpg", "gone.jpg", "below/dog-1.jpg")]
    listed.write_text("file\ncat-0.jpg\n")
    refused = dlcli("predict", CAT, listed, "--run", trained_run)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "list.csv: has no column path" in refused.stderr


def test_a_folder_without_what_is_below(trained_run: Path, pictures: Path, dlcli: Command) -> None:
    done = dlcli("predict", pictures, "--no-recursive", "--run", trained_run)
    assert len(done.stdout.splitlines()) == 6
    assert "below" not in done.stdout
    assert len(dlcli("predict", pictures, "--run", trained_run).stdout.splitlines()) == 7


def test_all_probabilities_and_sets(trained_run: Path, dlcli: Command) -> None:
    asked = ("predict", CAT, "--run", trained_run, "--probabilities", "--coverage", "0.9")
    (line,) = lines_of(dlcli(*asked, "--json").stdout)
    assert isinstance(line["probabilities"], dict)
    assert sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert isinstance(line["set"], list)
    assert line["label"] in line["set"]
    (row,) = csv.DictReader(dlcli(*asked, "--format", "csv").stdout.splitlines())
    assert json.loads(row["set"]) == line["set"]
    for name, share in line["probabilities"].items():
        assert float(row[f"probability:{name}"]) == pytest.approx(share, abs=1e-6)
    table = dlcli(*asked, "--format", "table").stdout
    assert len(table.splitlines()) == 1


def test_a_threshold_calls_more_unknown(trained_run: Path, pictures: Path, dlcli: Command) -> None:
    asked = ("predict", pictures, "--run", trained_run, "--json")
    plain, strict, none = (
        lines_of(dlcli(*asked, *more).stdout)
        for more in ((), ("--threshold", "1"), ("--threshold", "0"))
    )
    assert plain == none
    read = [line for line in strict if line["error"] is None]
    assert len(read) == 6
    assert all(line["unknown"] for line in read)
    assert {line["reason"] for line in read} <= {"improbable", "atypical"}
    assert [line["label"] for line in strict] == [line["label"] for line in plain]
    fitted = dlcli(*asked, "--max-error", "0.2")
    assert "are given: on val" in fitted.stderr
    assert "95 % interval of errors" in fitted.stderr
    for args in (
        ("--threshold", "2"),
        ("--max-error", "0"),
        ("--threshold", "0.5", "--max-error", "0.1"),
    ):
        refused = dlcli(*asked, *args)
        assert (refused.returncode, refused.stdout) == (2, "")


def test_a_file_is_written_whole_and_never_over_another(
    trained_run: Path, pictures: Path, tmp_path: Path, dlcli: Command
) -> None:
    file = tmp_path / "answers.csv"
    asked = ("predict", pictures, "--run", trained_run, "--format", "csv")
    done = dlcli(*asked, "-o", file)
    assert (done.returncode, done.stdout) == (5, "")
    assert file.read_text() == dlcli(*asked).stdout
    refused = dlcli(*asked, "-o", file)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert dlcli(*asked, "-o", file, "--force").returncode == 5
    assert dlcli(*asked, "-o", pictures / "answers.csv").returncode == 2
    assert dlcli("predict", tmp_path / "empty*", "-o", tmp_path / "x").returncode == 2


@pytest.mark.skipif(os.name == "nt", reason="there is no such limit")
def test_where_the_disk_ends_whole_rows_are_kept(
    trained_run: Path, animals: Path, tmp_path: Path
) -> None:
    """A limit on the size of files ends a write in its middle, as a full disk does."""
    file = tmp_path / "answers.jsonl"
    words = [sys.executable, "-m", "dlcli", "predict", animals, "--run", trained_run]
    asked = shlex.join(map(str, [*words, "--json", "-o", file]))
    done = subprocess.run(
        ["bash", "-c", f"ulimit -f 8; {asked}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 7, done.stderr
    assert "Traceback" not in done.stderr
    assert "answers.jsonl.partial" in done.stderr
    assert not file.exists()
    kept = (tmp_path / "answers.jsonl.partial").read_text()
    assert kept.endswith("}\n")
    assert len(lines_of(kept)) > 10


def test_pictures_are_sorted_into_class_folders(
    trained_run: Path, pictures: Path, tmp_path: Path, dlcli: Command
) -> None:
    asked = ("predict", pictures, "--run", trained_run, "--json")
    copied = dlcli(*asked, "--copy-to", tmp_path / "copies")
    assert copied.returncode == 5
    files = {path for path in (tmp_path / "copies").rglob("*") if path.is_file()}
    assert len(files) == 6
    for line in lines_of(copied.stdout):
        if line["error"] is None:
            source = Path(str(line["path"]))
            folder = "unknown" if line["unknown"] else str(line["label"])
            copy = tmp_path / "copies" / folder / source.name
            assert copy.read_bytes() == source.read_bytes()
    again = dlcli(*asked, "--copy-to", tmp_path / "copies")
    assert (again.returncode, again.stdout) == (2, "")
    assert dlcli(*asked, "--copy-to", pictures / "sorted").returncode == 2
    both = dlcli(*asked, "--copy-to", tmp_path / "a", "--link-to", tmp_path / "b")
    assert both.returncode == 2


@pytest.mark.skipif(os.name == "nt", reason="links need a right of their own")
def test_links_lead_to_the_pictures(
    trained_run: Path, pictures: Path, tmp_path: Path, dlcli: Command
) -> None:
    done = dlcli("predict", "pictures", "--run", trained_run, "--link-to", "links", cwd=tmp_path)
    assert done.returncode == 5
    links = [path for path in (tmp_path / "links").rglob("*") if path.is_symlink()]
    assert len(links) == 6
    assert all(path.resolve().parent.is_relative_to(pictures.resolve()) for path in links)


def test_class_folders_get_a_hint(trained_run: Path, animals: Path, dlcli: Command) -> None:
    done = dlcli("predict", animals, "--run", trained_run)
    assert f"dlcli evaluate {animals}" in done.stderr
    assert "evaluate" not in dlcli("predict", animals / "cat", "--run", trained_run).stderr


def test_the_built_in_classifier_says_what_it_cannot_promise(dlcli: Command) -> None:
    done = dlcli("predict", CAT, "--run", "imagenet", "--coverage", "0.9")
    assert (done.returncode, done.stdout) == (2, "")
    assert "does not know what it answered on val" in done.stderr


def test_evaluate_checks_the_sets(trained_run: Path, animals: Path, dlcli: Command) -> None:
    done = dlcli("evaluate", "--run", trained_run, "--coverage", "0.9", "--json")
    found = json.loads(done.stdout)["coverage"]
    assert set(found) == {
        *("asked", "least_probability", "num_images", "num_covered", "coverage"),
        *("coverage_interval", "mean_size", "largest"),
    }
    assert found["asked"] == 0.9
    assert 1 <= found["mean_size"] <= found["largest"] <= 5
    told = dlcli("evaluate", "--run", trained_run, "--coverage", "0.9").stdout
    assert "Sets that are to hold the true class in 90 %" in told
    assert dlcli("evaluate", "--run", trained_run, "--coverage", "90").returncode == 2
    lines = lines_of(
        dlcli("predict", animals, "--run", trained_run, "--coverage", "0.9", "--json").stdout
    )
    assert all(line["set"] for line in lines)


def test_keras_gives_the_same_answers(trained_run: Path, pictures: Path, dlcli: Command) -> None:
    asked = ("predict", pictures, "--run", trained_run, "--json")
    light, heavy = (lines_of(dlcli(*asked, "--engine", one).stdout) for one in ("litert", "keras"))
    assert [line["path"] for line in heavy] == [line["path"] for line in light]
    for one, other in zip(light, heavy, strict=True):
        assert (one["label"], one["error"]) == (other["label"], other["error"])
        if one["error"] is None:
            assert other["probability"] == pytest.approx(one["probability"], abs=1e-4)


def test_where_litert_is_missing_keras_takes_its_place(trained_run: Path, dlcli: Command) -> None:
    script = (
        "import sys; sys.modules['ai_edge_litert'] = None; "
        "from dlcli.cli import main; sys.argv[0] = 'dlcli'; main()"
    )
    command = [sys.executable, "-c", script, "predict", str(CAT), "--run", str(trained_run)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "LiteRT is not installed: Keras runs the network" in done.stderr
    expected = dlcli("predict", CAT, "--run", trained_run).stdout.split("\t")
    assert done.stdout.split("\t")[:2] == expected[:2]
    refused = subprocess.run(
        [*command, "--engine", "litert"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 7
    assert "LiteRT is not installed" in refused.stderr
