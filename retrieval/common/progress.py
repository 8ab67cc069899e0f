"""How far long work has come: a bar with rate and time left on a terminal, plain lines elsewhere.

Everything goes to stderr, so that stdout stays a result that a program can read.
"""

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
