"""How far long work has come: what the engine tells, to whoever wants to show it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Protocol


class Task(Protocol):
    """One piece of work that is counted."""

    def advance(self, steps: int = 1) -> None: ...


class Progress(Protocol):
    """Shows tasks, one after the other."""

    def task(self, name: str, total: int | None = None) -> contextlib.AbstractContextManager[Task]:
        """Shows work of `total` steps, or of unknown length."""
        ...


class _Silent:
    def advance(self, steps: int = 1) -> None: ...


class Quiet:
    """Shows nothing."""

    @contextlib.contextmanager
    def task(self, name: str, total: int | None = None) -> Iterator[Task]:  # noqa: ARG002
        yield _Silent()
