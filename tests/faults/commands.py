"""What changes an index beside indexing, to be run and killed: each tells when its work begins."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import retrieval
from retrieval.common.progress import Quiet
from retrieval.indexing.maintenance import rebuild, rollback
from retrieval.settings import load_settings
from tests.faults.killing import Ready, index_source
from tests.faults.states import Before, answers
from tests.support.pairs import wide_pairs

STEPS = 60  # a fifth: enough to gain, where how much is not asked


def rebuild_index(index: Path, ready: Ready | None = None) -> None:
    begin(ready)
    rebuild(load_settings(index=index), Quiet())


def roll_back(index: Path, number: int, ready: Ready | None = None) -> None:
    begin(ready)
    rollback(load_settings(index=index), number)


def adapt_index(index: Path, ready: Ready | None = None) -> None:
    """Adapts to pairs that can be learnt; torch is loaded when the work begins."""
    from retrieval.adaptation import adapt, fitting
    from retrieval.evaluation import intervals

    pairs = replace(wide_pairs(), fingerprint=retrieval.open(index).generation.manifest.fingerprint)
    with (
        mock.patch.object(fitting, "by_contrast", partial(fitting.by_contrast, steps=STEPS)),
        mock.patch.object(intervals, "RESAMPLES", 200),
        mock.patch.object(intervals, "FLIPS", 2_000),
    ):
        begin(ready)
        report = adapt(load_settings(index=index), Quiet(), pairs=pairs)
    assert report.adopted, report.reason


def begin(ready: Ready | None) -> None:
    if ready is not None:
        ready.set()


@dataclass(frozen=True)
class Command:
    """A command on the index `start`: what it answers before and after that."""

    name: str
    start: Path
    run: Callable[..., None]
    options: dict[str, Any]
    before: Any
    after: Any

    def __call__(self, index: Path, ready: Ready | None = None) -> None:
        self.run(index=index, ready=ready, **self.options)


def commands_of(before: Before, folder: Path) -> dict[str, Command]:
    """All commands that publish, each on an index that it changes; made below `folder`."""
    # What a rebuild publishes is told apart where the catalog has gone on without its generation.
    behind, adapted = folder / "behind", folder / "adapted"
    roll_back(shutil.copytree(before.new_index, behind), 1)
    adapt_index(shutil.copytree(before.new_index, adapted))
    old, new = before.old, before.new
    options = {"source": before.source, "model": before.model}
    commands = (
        Command("index", before.old_index, index_source, options, old, new),
        Command("rebuild", behind, rebuild_index, {}, old, new),
        Command("rollback", before.new_index, roll_back, {"number": 1}, new, old),
        Command("adapt", before.new_index, adapt_index, {}, new, answers(adapted)),
    )
    assert all(command.before != command.after for command in commands)
    return {command.name: command for command in commands}
