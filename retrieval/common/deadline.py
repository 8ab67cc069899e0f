"""How long each stage of an answer took, and whether there is time left for the next."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar

from retrieval.errors import Overtime

STAGES = ("decode", "encode", "search", "catalog")
_ends: ContextVar[float | None] = ContextVar("ends", default=None)


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


@contextlib.contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """What is asked for within has this long; None is without end."""
    token = _ends.set(None if seconds is None else time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends.reset(token)


def seconds_left() -> float | None:
    """Of the limit that the caller set; None where there is none; raises Overtime at its end."""
    ends = _ends.get()
    if ends is None:
        return None
    left = ends - time.monotonic()
    if left <= 0:
        raise Overtime("the answer took longer than is allowed here; try again in a moment")
    return left
