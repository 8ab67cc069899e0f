"""What the parts of the campaign work on: a model, a shop, and indexes of its states."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from retrieval.common.progress import Progress, Task
from tests.faults.states import Before
from tests.support.models import write_model


@dataclass(frozen=True)
class World:
    """A folder to work in; what is derived from it is made when a part first needs it."""

    folder: Path
    seed: int
    progress: Progress

    @cached_property
    def model(self) -> str:
        """A small model with random weights: quick, and right in form."""
        folder = self.folder / "model"
        folder.mkdir()
        return f"local-dir:{write_model(folder, seed=0)}"

    @cached_property
    def before(self) -> Before:
        return Before(self.folder, self.model)

    @contextmanager
    def copied(self, index: Path, name: str) -> Iterator[Path]:
        """A copy beside the original: what an index names by its way from itself stays found."""
        copy = self.folder / name
        try:
            yield Path(shutil.copytree(index, copy))
        finally:
            shutil.rmtree(copy, ignore_errors=True)

    @contextmanager
    def told(self, name: str, total: int) -> Iterator[Task]:
        with self.progress.task(name, total=total) as task:
            yield task
