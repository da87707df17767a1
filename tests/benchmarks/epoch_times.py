"""How fast the epochs of a fit are."""

from __future__ import annotations

import time

from dlcli.events import EpochEnded, Event


class EpochTimes:
    """Hears when epochs end."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def report(self, event: Event) -> None:
        """Notes the moment."""
        if isinstance(event, EpochEnded):
            self.times.append(time.perf_counter())

    def images_per_second(self, num_images: int) -> float:
        """Of the epochs after the first, which traces."""
        return num_images * (len(self.times) - 1) / (self.times[-1] - self.times[0])
