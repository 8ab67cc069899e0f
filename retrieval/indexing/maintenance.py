"""Rebuild, verify, repair, roll back: all of an index but its catalog can be derived again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from retrieval.common.progress import Progress
from retrieval.errors import CatalogError, IndexMissing, NotFound
from retrieval.indexing.calibration import unmeasured
from retrieval.indexing.publishing import publish
from retrieval.settings import Settings
from retrieval.storage import open_storage
from retrieval.storage.entities import GenerationState, Problem


@dataclass(frozen=True)
class RebuildReport:
    """What `rebuild` published; `recall` is at 20, against exact search, the worst measured.

    `notes` says what could not be learnt from the catalog, and so is left out.
    """

    products: int
    vectors: int
    index_type: str
    recall: float
    seconds: float
    generation: int
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "notes"}


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
        IndexMissing, IndexLocked, CatalogError: see `retrieval.indexing.publishing.publish`.
        QueryError: unknown `index_type`.
    """
    started = time.perf_counter()
    with open_storage(settings.index, settings).writing() as catalog:
        manifest = publish(catalog, progress, index_type, anew=True)
    return RebuildReport(
        products=manifest.products,
        vectors=manifest.vectors,
        index_type=manifest.index_type,
        recall=manifest.recall,
        seconds=round(time.perf_counter() - started, 3),
        generation=manifest.generation,
        notes=tuple(unmeasured(manifest)),
    )


@dataclass(frozen=True)
class RemovalReport:
    """What `remove` did: the ids that are gone, those that there were not, and what is live."""

    removed: tuple[str, ...]
    unknown: tuple[str, ...]
    generation: int

    def as_dict(self) -> dict[str, Any]:
        return {"removed": list(self.removed), "generation": self.generation}


def remove(settings: Settings, progress: Progress, keys: Sequence[str]) -> RemovalReport:
    """Removes products by their ids, and publishes; they stay away until their source brings a row
    that differs. No model runs.

    Raises:
        NotFound: there is none of them; nothing is changed then.
        IndexMissing, IndexLocked, CatalogError: see `retrieval.indexing.publishing.publish`.
    """
    with open_storage(settings.index, settings).writing() as catalog:
        removed = catalog.remove(keys, remember=True)
        if not removed:
            raise NotFound(f"there is no product {', '.join(map(repr, keys[:5]))} in the index")
        catalog.drop_unused_vectors()
        manifest = publish(catalog, progress)
    unknown = tuple(key for key in dict.fromkeys(keys) if key not in set(removed))
    return RemovalReport(tuple(removed), unknown, manifest.generation)


def verify(settings: Settings, progress: Progress, *, repair: bool = False) -> VerifyReport:
    """Holds catalog, stored vectors and the live generation against each other.

    Args:
        repair: drop vectors that cannot be right, derive the generation again, and check anew;
            what is left then needs the model, or a backup.

    Raises:
        IndexMissing: there is no index.
        IndexLocked: another process writes to it.
    """
    storage = open_storage(settings.index, settings)
    # One that cannot be written to is looked at all the same: nobody else writes to it either.
    reads = storage.exists() and not storage.can_write() and not repair
    with storage.reading() if reads else storage.writing() as catalog:
        problems = catalog.verify(progress)
        if not problems or not repair:
            return VerifyReport(tuple(problems))
        repaired = catalog.repair(problems)
        if any(problem.derived for problem in problems):
            with contextlib.suppress(CatalogError, IndexMissing):
                manifest = publish(catalog, progress, anew=True)
                repaired.append(f"derived generation {manifest.generation} from the catalog")
        return VerifyReport(tuple(catalog.verify(progress)), tuple(repaired))


def list_generations(settings: Settings) -> dict[str, Any]:
    """The published generations, and which is live; a damaged one is listed as such."""
    states = open_storage(settings.index, settings).generations()
    return {"current": _live(states), "generations": [_generation_row(state) for state in states]}


def rolled_back_to(settings: Settings) -> int | None:
    """The live generation, where a later one was rolled back from; else None."""
    states = open_storage(settings.index, settings).generations()
    return next((state.number for state in states if state.rolled_back), None)


def rollback(settings: Settings, number: int | None = None) -> int:
    """Makes an earlier generation live again; None takes the one before the live one.

    Raises:
        IndexMissing: there is none before it.
        NotFound: there is no such generation.
        IndexDamaged: it is not whole.
    """
    storage = open_storage(settings.index, settings)
    if not storage.generations():
        raise IndexMissing(f"there is no index in {settings.index}; run `retrieval index SOURCE`")
    with storage.writing(create=True):  # a catalog that is lost does not keep from going back
        states = storage.generations()
        live = _live(states)
        if number is None:
            earlier = [s.number for s in states if live is None or s.number < live]
            if not earlier:
                raise IndexMissing(f"{settings.index} has no generation before {live}")
            number = earlier[-1]
        storage.switch(number)
        return number


def _live(states: Sequence[GenerationState]) -> int | None:
    return next((state.number for state in states if state.live), None)


def _generation_row(state: GenerationState) -> dict[str, Any]:
    manifest = state.manifest
    if manifest is None:
        return {"generation": state.number, "ok": False, "problem": state.problem}
    return {
        "generation": state.number,
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
