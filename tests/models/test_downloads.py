"""ImageNet weights that are here, fetched, or not to be had."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from dlcli.errors import DataError, ExitCode, ResourceError
from dlcli.events import Event, NullReporter, Said, StageAdvanced, StageEnded, StageStarted
from dlcli.models.downloads import imagenet_weights, sound_weights
from dlcli.models.registry import BACKBONES, Backbone, DownloadedWeights
from tests.conftest import Recorder, is_root

CONTENT = bytes(range(256)) * 8000
NOBODY = "http://127.0.0.1:9/weights.h5"


class Handler(BaseHTTPRequestHandler):
    """Serves the weights; /cut ends half-way, anything else is missing."""

    def do_GET(self) -> None:
        if self.path not in ("/weights.h5", "/cut"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT if self.path != "/cut" else CONTENT[: len(CONTENT) // 2])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server of weights."""
    with HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Keras keeps weights; empty."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return tmp_path / "home" / "models"


def backbone(url: str, checksum: str = "") -> Backbone:
    """VGG16 with its weights at another address."""
    return replace(BACKBONES["vgg16"], weights=DownloadedWeights("vgg16.h5", url, checksum))


@pytest.mark.parametrize("kind", ["md5", "sha256", ""])
def test_weights_are_fetched_once(server: str, folder: Path, kind: str) -> None:
    checksum = hashlib.new(kind, CONTENT).hexdigest() if kind else ""
    wanted, recorder = backbone(f"{server}/weights.h5", checksum), Recorder()
    assert imagenet_weights(wanted, recorder) == folder / "vgg16.h5"
    assert [path.name for path in folder.iterdir()] == ["vgg16.h5"]
    assert (folder / "vgg16.h5").read_bytes() == CONTENT
    said, started, *advanced, ended = recorder.events
    assert said == Said(f"fetching vgg16.h5 (about 59 MB) from {server}/weights.h5")
    assert started == StageStarted("fetching the weights", 3)
    assert advanced
    assert all(isinstance(event, StageAdvanced) and event.done <= 2 for event in advanced)
    assert isinstance(ended, StageEnded)
    again = Recorder()
    assert imagenet_weights(replace(wanted), again) == folder / "vgg16.h5"
    assert again.events == []


def test_packaged_weights_are_taken_from_their_package() -> None:
    lite = BACKBONES["efficientnet-lite0"]
    assert imagenet_weights(lite, NullReporter()) == lite.weights_path()


def test_without_a_network_the_error_names_file_address_and_folder(folder: Path) -> None:
    with pytest.raises(ResourceError) as caught:
        imagenet_weights(backbone(NOBODY), NullReporter())
    assert caught.value.exit_code == ExitCode.RESOURCE
    assert str(caught.value) == (
        "the ImageNet weights of vgg16 are not here and could not be fetched (Connection refused)."
        f" Put {NOBODY} into {folder} as vgg16.h5"
    )
    assert list(folder.iterdir()) == []


def test_behind_a_dead_proxy_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(ResourceError, match="could not be fetched") as caught:
        imagenet_weights(BACKBONES["vgg16"], NullReporter())
    assert (
        "Put https://storage.googleapis.com/tensorflow/keras-applications/vgg16/vgg16_weights"
        in (str(caught.value))
    )


def test_an_address_without_the_file_is_said(server: str, folder: Path) -> None:
    with pytest.raises(ResourceError, match=r"fetched \(HTTP 404 Not Found\)\. Put http"):
        imagenet_weights(backbone(f"{server}/gone.h5"), NullReporter())
    assert list(folder.iterdir()) == []


def test_a_connection_that_breaks_leaves_nothing(server: str, folder: Path) -> None:
    with pytest.raises(ResourceError, match="the connection broke after 1024000 of 2048000 bytes"):
        imagenet_weights(backbone(f"{server}/cut"), NullReporter())
    assert list(folder.iterdir()) == []


def test_another_file_than_expected_is_not_kept(server: str, folder: Path) -> None:
    wanted = backbone(f"{server}/weights.h5", "0" * 32)
    with pytest.raises(ResourceError, match="what came is not the file that was asked for"):
        imagenet_weights(wanted, NullReporter())
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_fetch_leaves_nothing(
    server: str, folder: Path, interrupt: type[BaseException]
) -> None:
    class Impatient:
        def report(self, event: Event) -> None:
            if isinstance(event, StageAdvanced):
                raise interrupt

    with pytest.raises(interrupt):
        imagenet_weights(backbone(f"{server}/weights.h5"), Impatient())
    assert list(folder.iterdir()) == []


def test_a_damaged_file_is_named_and_stays(server: str, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "vgg16.h5").write_bytes(b"half of it")
    wanted = backbone(f"{server}/weights.h5", hashlib.md5(CONTENT).hexdigest())  # noqa: S324
    for find in (lambda: imagenet_weights(wanted, NullReporter()), lambda: sound_weights(wanted)):
        with pytest.raises(DataError, match=r"vgg16\.h5: its checksum is .* damaged\. Remove it"):
            find()
    assert (folder / "vgg16.h5").read_bytes() == b"half of it"


def test_nothing_is_fetched_where_nobody_asked_for_it(server: str, folder: Path) -> None:
    with pytest.raises(ResourceError, match=r"are not here\. Put"):
        sound_weights(backbone(f"{server}/weights.h5"))
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_is_a_sentence(server: str, folder: Path) -> None:
    if is_root():
        folder.parent.write_text("a file in the way")
    else:
        folder.mkdir(parents=True, mode=0o500)
    with pytest.raises(ResourceError, match="name another place"):
        imagenet_weights(backbone(f"{server}/weights.h5"), NullReporter())
