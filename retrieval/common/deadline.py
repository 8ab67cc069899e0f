"""How long an answer may take, set by who asks and looked at between its stages."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar

from retrieval.errors import Overtime

_ends: ContextVar[float | None] = ContextVar("ends", default=None)


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
