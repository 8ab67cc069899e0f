"""Who asks, told by the server for as long as it answers: whose place is taken, who is gone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Asker:
    """Attributes:
    key: equal for all that one client asks.
    is_gone: tells that nobody waits for the answer any more; False where that is not known.
    """

    key: str
    is_gone: Callable[[], bool] = lambda: False


_asker: ContextVar[Asker | None] = ContextVar("asker", default=None)


@contextlib.contextmanager
def asked_by(asker: Asker | None) -> Iterator[None]:
    """What is asked for within is for this client."""
    token = _asker.set(asker)
    try:
        yield
    finally:
        _asker.reset(token)


def current_asker() -> Asker | None:
    """None where it is the user of this process: nobody else's place is taken by what he does."""
    return _asker.get()
