"""Progress for people: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TextIO

import rich.progress
import rich.text

from retrieval.common.progress import Progress, Task
from retrieval.common.text import printable

PLAIN_EVERY = 5.0


class Bars:
    """Bars on a terminal."""

    def __init__(self) -> None:
        self._console = rich.console.Console(stderr=True)

    @contextlib.contextmanager
    def task(self, name: str, total: int | None = None) -> Iterator[Task]:
        columns = [
            rich.progress.SpinnerColumn(),
            rich.progress.TextColumn("{task.description}", markup=False),
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            _RateColumn(),
            rich.progress.TimeRemainingColumn(),
        ]
        if total is None:
            columns = [*columns[:2], rich.progress.TimeElapsedColumn()]
        with rich.progress.Progress(*columns, console=self._console, transient=True) as bars:
            bar = bars.add_task(printable(name), total=total)

            class Bar:
                def advance(self, steps: int = 1) -> None:
                    bars.advance(bar, steps)

            yield Bar()


class _RateColumn(rich.progress.ProgressColumn):
    def render(self, task: rich.progress.Task) -> rich.text.Text:
        return rich.text.Text(_pace(task.speed) if task.speed else "")


def _pace(rate: float) -> str:
    """Steps a second, or seconds a step where those are many."""
    return f"{rate:,.1f}/s" if rate >= 0.1 else f"{1 / rate:.0f} s each"


class Lines:
    """A line now and then, for logs."""

    def __init__(self, stream: TextIO | None = None, every: float = PLAIN_EVERY) -> None:
        self._stream = stream or sys.stderr
        self._every = every

    @contextlib.contextmanager
    def task(self, name: str, total: int | None = None) -> Iterator[Task]:
        if total is None:
            # It says nothing more until it is done, be that after a second or a minute.
            print(f"{printable(name)} ...", file=self._stream)
        line = _Line(printable(name), total, self._stream, self._every)
        yield line


class _Line:
    def __init__(self, name: str, total: int | None, stream: TextIO, every: float) -> None:
        self._name, self._total, self._stream, self._every = name, total, stream, every
        self._started = self._last_line = time.monotonic()
        self._done = 0

    def advance(self, steps: int = 1) -> None:
        self._done += steps
        now = time.monotonic()
        if now - self._last_line < self._every:
            return
        self._last_line = now
        rate = self._done / max(now - self._started, 1e-9)
        of_total = f"/{self._total}" if self._total else ""
        left = f", {(self._total - self._done) / rate:.0f} s left" if self._total else ""
        print(f"{self._name}: {self._done}{of_total}, {_pace(rate)}{left}", file=self._stream)


def for_this_terminal() -> Progress:
    """Bars where stderr is a terminal, lines elsewhere."""
    return Bars() if sys.stderr.isatty() else Lines()
