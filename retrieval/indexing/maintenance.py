"""Rebuild, verify, repair, roll back: all of an index but its catalog can be derived again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import delete

from retrieval.common.progress import Progress
from retrieval.errors import CatalogError, IndexDamaged, IndexMissing
from retrieval.settings import Settings
from retrieval.storage.entities import Manifest, Problem
from retrieval.storage.folder.catalog import CatalogStore
from retrieval.storage.folder.database import CATALOG_FILE, open_catalog
from retrieval.storage.folder.generation_folders import Generations
from retrieval.storage.folder.lock import writing
from retrieval.storage.folder.publishing import publish
from retrieval.storage.folder.verifying import check_catalog, check_generation
from retrieval.storage.models import Vector


@dataclass(frozen=True)
class RebuildReport:
    """What `rebuild` published; `recall` is at 20, against exact search, the worst measured."""

    products: int
    vectors: int
    index_type: str
    recall: float
    seconds: float
    generation: int

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class VerifyReport:
    """What `verify` found; `repaired` lists what was mended."""

    problems: tuple[Problem, ...]
    repaired: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "problems": [problem.text for problem in self.problems],
            "repaired": list(self.repaired),
        }


def rebuild(settings: Settings, progress: Progress, index_type: str | None = None) -> RebuildReport:
    """Derives a new generation from the stored vectors and publishes it; no model runs.

    Raises:
        IndexMissing, IndexLocked, CatalogError: see `retrieval.storage.folder.publishing.publish`.
        QueryError: unknown `index_type`.
    """
    started = time.perf_counter()
    with writable_store(settings) as store:
        manifest = publish(settings.index, store, settings, progress, index_type, anew=True)
    return RebuildReport(
        products=manifest.products,
        vectors=manifest.vectors,
        index_type=manifest.index_type,
        recall=manifest.recall,
        seconds=round(time.perf_counter() - started, 3),
        generation=manifest.generation,
    )


def verify(settings: Settings, progress: Progress, *, repair: bool = False) -> VerifyReport:
    """Holds catalog, stored vectors and the live generation against each other.

    Args:
        repair: drop vectors that cannot be right, derive the generation again, and check anew;
            what is left then needs the model, or a backup.

    Raises:
        IndexMissing: there is no index.
        IndexLocked: another process writes to it.
    """
    with writable_store(settings) as store:
        problems = _check(settings.index, store, progress)
        if not problems or not repair:
            return VerifyReport(tuple(problems))
        repaired = _repair(settings, store, progress, problems)
        left = _check(settings.index, store, progress)
        return VerifyReport(tuple(left), tuple(repaired))


def list_generations(index: Path) -> dict[str, Any]:
    """The published generations, and which is live; a damaged one is listed as such."""
    generations = Generations(index)
    try:
        current = generations.current()
    except IndexDamaged:
        current = None
    return {
        "current": current,
        "generations": [_generation_row(generations, number) for number in generations.numbers()],
    }


def rolled_back_to(index: Path) -> int | None:
    """The live generation, where a later one was rolled back from; else None."""
    generations = Generations(index)
    current = generations.current()
    numbers = generations.numbers()
    return current if current is not None and numbers and current < numbers[-1] else None


def rollback(settings: Settings, number: int | None = None) -> int:
    """Makes an earlier generation live again; None takes the one before the live one.

    Raises:
        IndexMissing: there is none before it.
        NotFound: there is no such generation.
        IndexDamaged: it is not whole.
    """
    generations = Generations(settings.index)
    if not generations.numbers():
        raise IndexMissing(f"there is no index in {settings.index}; run `retrieval index SOURCE`")
    with writing(settings.index, settings.lock_timeout):
        current = generations.current()
        if number is None:
            earlier = [n for n in generations.numbers() if current is None or n < current]
            if not earlier:
                raise IndexMissing(f"{settings.index} has no generation before {current}")
            number = earlier[-1]
        if number in generations.numbers():
            generations.check_sizes(generations.manifest(number))
        generations.make_current(number)
        return number


@contextlib.contextmanager
def writable_store(settings: Settings) -> Iterator[CatalogStore]:
    """The catalog of an index, while nobody else may write; raises IndexMissing, IndexLocked."""
    path = settings.index / CATALOG_FILE
    if not path.exists():
        raise IndexMissing(f"there is no index in {settings.index}; run `retrieval index SOURCE`")
    with writing(settings.index, settings.lock_timeout):
        engine = open_catalog(path)
        try:
            yield CatalogStore(engine)
        finally:
            engine.dispose()


def _check(index: Path, store: CatalogStore, progress: Progress) -> list[Problem]:
    with progress.task("checking the catalog"):
        problems = check_catalog(store)
    with progress.task("checking the generation"):
        return problems + check_generation(index, store)


def _repair(
    settings: Settings, store: CatalogStore, progress: Progress, problems: list[Problem]
) -> list[str]:
    done: list[str] = []
    bad_vectors = [p.vector_id for p in problems if p.vector_id is not None]
    if bad_vectors:
        with store.engine.begin() as connection:
            for vector_id in bad_vectors:
                connection.execute(delete(Vector).where(Vector.id == vector_id))
        done.append(f"dropped {len(bad_vectors)} stored vectors that could not be right")
    if Generations(settings.index).clean_up():
        done.append("removed what a killed run had left behind")
    if any(problem.derived for problem in problems):
        with contextlib.suppress(CatalogError, IndexMissing):
            manifest = publish(settings.index, store, settings, progress, anew=True)
            done.append(f"derived generation {manifest.generation} from the catalog")
    return done


def _generation_row(generations: Generations, number: int) -> dict[str, Any]:
    try:
        manifest: Manifest = generations.manifest(number)
        generations.check_sizes(manifest)
    except IndexDamaged as error:
        return {"generation": number, "ok": False, "problem": str(error)}
    return {
        "generation": number,
        "ok": True,
        "created": manifest.created,
        "products": manifest.products,
        "vectors": manifest.vectors,
        "index_type": manifest.index_type,
        "recall": manifest.recall,
        "model": manifest.model,
        "fingerprint": manifest.fingerprint,
        "adapted": manifest.adapter,
    }
