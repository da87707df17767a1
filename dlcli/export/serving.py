"""How TensorFlow Serving is asked about encoded pictures."""

from __future__ import annotations

import base64
from typing import Any

SERVE_BYTES = "serve_bytes"
"""The signature that takes them."""


def request_of(picture: bytes) -> dict[str, Any]:
    """The JSON that its REST door takes for one picture."""
    encoded = base64.b64encode(picture).decode("ascii")
    return {"signature_name": SERVE_BYTES, "instances": [{"b64": encoded}]}
