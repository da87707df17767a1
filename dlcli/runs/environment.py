"""What a run was made with: versions, platform, device."""

from __future__ import annotations

import platform
from typing import Any

from dlcli.machine.device import Device
from dlcli.machine.packages import installed_versions


def describe_environment(device: Device) -> dict[str, Any]:
    """`versions`, `platform` and `device`; asks the package metadata, imports nothing."""
    return {
        "versions": installed_versions(),
        "platform": platform.platform(),
        "device": device.to_json(),
    }
