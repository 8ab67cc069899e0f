"""How long each stage of an answer took."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from retrieval.common.deadline import seconds_left

STAGES = ("decode", "encode", "search", "catalog")


class Stages:
    """Sums up the time of each of STAGES, in milliseconds; they must not be nested."""

    def __init__(self) -> None:
        self.took_ms = dict.fromkeys(STAGES, 0.0)

    @contextlib.contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Raises Overtime where no time is left to begin."""
        seconds_left()
        started = time.perf_counter()
        try:
            yield
        finally:
            self.took_ms[stage] += (time.perf_counter() - started) * 1000
