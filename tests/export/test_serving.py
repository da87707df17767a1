"""Requests as TensorFlow Serving takes them."""

from __future__ import annotations

import base64

from dlcli.export.serving import request_of


def test_a_request_holds_the_picture_s_bytes_and_names_the_signature() -> None:
    request = request_of(b"\xff\xd8 a picture")
    assert request["signature_name"] == "serve_bytes"
    (instance,) = request["instances"]
    assert base64.b64decode(instance["b64"]) == b"\xff\xd8 a picture"
