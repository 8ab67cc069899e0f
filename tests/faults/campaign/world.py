"""What the parts of the campaign work on: a model, a shop, and indexes of its states."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import retrieval
from retrieval.common.progress import Progress, Task
from tests.faults.commands import Command, commands_of, rebuild_index
from tests.faults.states import WORDS, Before, answers
from tests.support.shop import COLOURS, SHAPES

LONG = 1_500


@dataclass(frozen=True)
class World:
    """A folder to work in; what is derived from it is made when a part first needs it."""

    folder: Path
    seed: int
    progress: Progress

    @cached_property
    def model(self) -> str:
        """A small model with random weights: quick, and right in form."""
        # Imported here: it loads torch, which each process that this module is imported in,
        # and that is then killed, would wait for.
        from tests.support.models import write_model

        folder = self.folder / "model"
        folder.mkdir()
        return f"local-dir:{write_model(folder, seed=0)}"

    @cached_property
    def before(self) -> Before:
        return Before(self.folder, self.model)

    @cached_property
    def commands(self) -> dict[str, Command]:
        return commands_of(self.before, self.folder)

    @cached_property
    def long_rebuild(self) -> Command:
        """A rebuild of so many products that its files are many pages of the disk."""
        source, index = self.folder / "long.csv", self.folder / "long"
        names = itertools.product(COLOURS, WORDS, SHAPES, range(LONG // 80))
        rows = [f"P-{n:02d},{' '.join(map(str, name))}" for n, name in enumerate(names)]
        source.write_text("\n".join(["id,title", *rows]), "utf-8")
        retrieval.build(source, index, model=self.model)
        whole = answers(index)
        return Command("rebuild", index, rebuild_index, {}, whole, whole)

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
