"""The pictures that an export is checked with and calibrated on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlcli.commands.asked_pictures import MOST_ASKED, asked_pictures, calibration_pictures
from dlcli.commands.open_run import OpenedRun, open_run
from dlcli.errors import UsageError
from dlcli.events import NullReporter
from dlcli.runs.run import Run


@pytest.fixture(scope="module")
def opened(trained_run: Path) -> OpenedRun:
    return open_run(str(trained_run), trained_run.parent, NullReporter())


def test_of_a_run_they_are_those_of_val_and_test_with_their_classes(opened: OpenedRun) -> None:
    own = Run(opened.folder).pictures()
    assert own is not None
    with asked_pictures(opened) as asked:
        rows = {own.folder / row["path"]: row for row in own.rows}
        assert len(asked.files) == len(own.of("val")) + len(own.of("test")) <= MOST_ASKED
        assert {rows[file]["split"] for file in asked.files} == {"val", "test"}
        names = opened.classifier.artifact.class_names
        labels = [names[label] for label in asked.labels]
        assert labels == [rows[file]["label"] for file in asked.files]
        assert asked.pixels.shape == (len(asked.files), 224, 224, 3)
    with asked_pictures(opened) as again:
        assert again.files == asked.files


def test_where_there_are_none_it_is_noise_that_goes_away(opened: OpenedRun) -> None:
    alone = OpenedRun("r", opened.folder / "model", opened.classifier)
    with asked_pictures(alone) as asked:
        assert (asked.source, asked.labels) == ("pictures of noise", ())
        assert asked.pixels.shape == (16, 224, 224, 3)
        assert asked.pixels.std() > 10
        assert all(file.is_file() for file in asked.files)
    assert not any(file.exists() for file in asked.files)


def test_int8_is_calibrated_on_training_pictures(opened: OpenedRun) -> None:
    own = Run(opened.folder).pictures()
    assert own is not None
    pixels = calibration_pictures(opened)
    assert len(pixels) == len(own.of("train"))
    assert pixels.dtype == np.uint8


def test_without_training_pictures_there_is_no_int8(opened: OpenedRun) -> None:
    alone = OpenedRun("r", opened.folder / "model", opened.classifier)
    with pytest.raises(UsageError, match=r"there are none here.*--quantize float16"):
        calibration_pictures(alone)
