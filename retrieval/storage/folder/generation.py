"""A generation in a folder, read: rows by its snapshot, vectors by its galleries."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.common.adapter import Adapter
from retrieval.common.vectors import Vectors, spread_evenly
from retrieval.errors import GenerationGone, IndexDamaged, RetrievalError, one_line
from retrieval.storage.base import DECIMALS, Condition, Generation
from retrieval.storage.entities import (
    Card,
    CatalogMap,
    Flags,
    Ids,
    Manifest,
    Matches,
    Modality,
    Rows,
    Scores,
    Values,
)
from retrieval.storage.filters import Filter
from retrieval.storage.folder.fts5 import match_expression
from retrieval.storage.folder.gallery import Gallery, GalleryFiles, Ranking
from retrieval.storage.folder.generation_folders import ADAPTER, Generations, live_manifest
from retrieval.storage.folder.integrity import Integrity
from retrieval.storage.folder.snapshot import SNAPSHOT_FILE, Snapshot

MAP_IDS_FILE = "map.ids.npy"
MAP_PLACES_FILE = "map.places.npy"
EXTRA = "extra."
ATTEMPTS = 5


@dataclass(frozen=True)
class MaskCondition(Condition):
    """(products,) which may be found, by their places in the snapshot; read-only."""

    allowed: Flags


class FolderGeneration(Generation):
    """One generation, whole and unchanging, until nobody refers to it any more."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Raises IndexDamaged where a file of it cannot be read."""
        self._folder = folder
        self._manifest = manifest
        self._integrity = Integrity(folder, manifest)
        self._snapshot = Snapshot(folder / SNAPSHOT_FILE)
        # Searches that began before a switch still hold the generation; its connections are
        # closed when the last of them is done.
        # Not at the end of a process, which closes them by itself: a forked one would close its
        # parent's.
        weakref.finalize(self, self._snapshot.close).atexit = False
        try:
            self._galleries = {
                modality: Gallery.load(GalleryFiles(folder, modality), entry)
                for modality, entry in manifest.galleries.items()
            }
            self._adapter = (
                Adapter.from_bytes((folder / ADAPTER).read_bytes()) if manifest.adapter else None
            )
            self._map = read_map(folder)
            for gallery in self._galleries.values():
                gallery.check_bounds(len(self._snapshot.product_ids))
        except RetrievalError:
            raise
        except Exception as error:  # whatever numpy makes of a header that was hit
            raise IndexDamaged(
                f"generation {manifest.generation} cannot be read ({one_line(error)}); "
                "run `retrieval verify --repair`"
            ) from None
        # Which products have a photo, which a text.
        self._has_rows = {
            modality: np.bincount(gallery.products, minlength=manifest.products) > 0
            for modality, gallery in self._galleries.items()
        }

    @property
    def manifest(self) -> Manifest:
        return self._manifest

    def check(self, *, thorough: bool = False) -> None:
        if thorough:
            self._integrity.check_all()
        self._integrity.check()

    def adapter(self) -> Adapter | None:
        return self._adapter

    def catalog_map(self) -> CatalogMap | None:
        return self._map

    def extra(self, name: str) -> bytes | None:
        try:
            return (self._folder / f"{EXTRA}{name}").read_bytes()
        except FileNotFoundError:
            if not self._folder.exists():
                raise GenerationGone(f"{self._folder} was dropped; ask again") from None
            return None

    def condition(
        self, where: Sequence[Filter], without: Ids | None = None
    ) -> MaskCondition | None:
        leaves_out = without is not None and len(without) > 0
        if not where and not leaves_out:
            return None
        allowed = (
            self._snapshot.matching(tuple(where))
            if where
            else np.ones(len(self._snapshot.product_ids), dtype=np.bool_)
        )
        if without is not None and leaves_out:
            allowed = allowed.copy()
            allowed[self._places(without)] = False
        return MaskCondition(allowed)

    def count(
        self,
        condition: Condition | None = None,
        *,
        with_any_of: Sequence[Modality] = (),
        or_among: Ids | None = None,
    ) -> int:
        allowed = _allowed(condition)
        if not with_any_of and or_among is None:
            return len(self._snapshot.product_ids) if allowed is None else int(allowed.sum())
        counted = np.zeros(len(self._snapshot.product_ids), dtype=np.bool_)
        for modality in with_any_of:
            counted |= self._has_rows[modality]
        if or_among is not None:
            counted[self._places(or_among)] = True
        return int((counted if allowed is None else counted & allowed).sum())

    def allows(self, condition: Condition | None, products: Ids) -> Flags:
        allowed, known = _allowed(condition), self._snapshot.product_ids
        if not len(known):
            return np.zeros(len(products), dtype=np.bool_)
        places = self._at(products).clip(max=len(known) - 1)
        there = np.asarray(known[places] == products)
        return there if allowed is None else there & allowed[places]

    def field_names(self) -> list[str]:
        return self._snapshot.field_names()

    def product_ids(self, keys: Sequence[str]) -> Ids:
        known = self._snapshot.ids_of(keys)
        return np.array([known.get(key, -1) for key in keys], dtype=np.int64)

    def typed_id(self, text: str) -> int | None:
        return self._snapshot.typed_id(text)

    def cards(self, products: Sequence[int]) -> dict[int, Card]:
        return self._snapshot.cards(products)

    def scan(self) -> Iterator[Card]:
        return self._snapshot.scan()

    def sample_products(
        self, count: int, *, with_all_of: Sequence[Modality] = (), without: Ids | None = None
    ) -> Ids:
        wanted = np.ones(len(self._snapshot.product_ids), dtype=np.bool_)
        for modality in with_all_of:
            wanted &= self._has_rows[modality]
        if without is not None:
            wanted[self._places(without)] = False
        products = self._snapshot.product_ids[wanted]
        return products[spread_evenly(len(products), count)] if len(products) else products

    def nearest(
        self,
        modality: Modality,
        query: Vectors,
        count: int,
        condition: Condition | None = None,
        *,
        exact: bool = False,
    ) -> Matches:
        gallery, order = self._galleries[modality], self._snapshot.key_order
        allowed = _allowed(condition)
        rows = None if allowed is None else allowed[gallery.products]
        available = len(gallery) if rows is None else int(rows.sum())
        # Of few rows all are as cheap as some, and some might have to be asked for again.
        k = count if available > 2 * count else available
        if exact:
            ranking = gallery.in_order(gallery.exact(query, k, rows), order)
        else:
            ranking = gallery.paged(query, k, order, rows)
        return self._matches(gallery, ranking, complete=len(ranking) >= available)

    def _matches(self, gallery: Gallery, ranking: Ranking, *, complete: bool) -> Matches:
        owners = gallery.products[ranking.positions]
        return Matches(
            ids=np.asarray(gallery.ids[ranking.positions]),
            products=self._snapshot.product_ids[owners],
            scores=ranking.scores,
            order=self._snapshot.key_order[owners],
            complete=complete,
        )

    def scores(self, modality: Modality, queries: Vectors, rows: Ids) -> Scores:
        gallery = self._galleries[modality]
        positions = gallery.positions_of(rows)
        there = positions >= 0
        scores = np.full((len(queries), len(rows)), np.nan)
        if there.any():
            scores[:, there] = gallery.score_all(queries, positions[there])
        return scores

    def rows_of(self, modality: Modality, products: Ids) -> Rows:
        gallery = self._galleries[modality]
        rows = self._snapshot.rows_of(modality, products.tolist())
        ids = np.array([row[0] for row in rows], dtype=np.int64)
        vectors = np.asarray(gallery.vectors[gallery.positions_of(ids)], dtype=np.float32)
        fields = () if modality == "images" else tuple(row[2] for row in rows)
        return Rows(ids, np.array([row[1] for row in rows], dtype=np.int64), vectors, fields)

    def sample_vectors(self, modality: Modality, count: int) -> Vectors:
        return self._galleries[modality].sample(count)

    def lexical(
        self,
        words: Sequence[str],
        *,
        every: bool,
        without: Sequence[str] = (),
        condition: Condition | None = None,
        limit: int | None = None,
    ) -> Matches:
        allowed = _allowed(condition)
        expression = match_expression(
            words, without, every=every, spellings=self._snapshot.spellings
        )
        # A filter comes after: then all are needed.
        asked = limit if allowed is None else None
        matches = [] if expression is None else self._snapshot.lexical(expression, asked)
        complete = asked is None or len(matches) < asked
        places = self._snapshot.positions_of([product for product, _ in matches])
        scores: Scores = np.array([score for _, score in matches], dtype=np.float64)
        scores = scores.round(DECIMALS)
        best = np.lexsort((self._snapshot.key_order[places], -scores))
        if allowed is not None:
            best = best[allowed[places[best]]]
            complete = limit is None or len(best) <= limit
            best = best[:limit]
        products = self._snapshot.product_ids[places[best]]
        order = self._snapshot.key_order[places[best]]
        return Matches(products, products, scores[best], order, complete)

    def document_frequency(self, phrases: Sequence[str]) -> dict[str, int]:
        return self._snapshot.document_frequency(phrases)

    def values(self, products: Ids, field: str) -> Values:
        places: list[int] = []
        codes: list[int] = []
        numbers: list[float] = []
        known: dict[str, int] = {}
        of_product: dict[int, list[Any]] = {}
        for product, value in self._snapshot.field_of(field, products.tolist()):
            if _is_value(value):
                of_product.setdefault(product, []).append(value)
        for place, product in enumerate(products.tolist()):
            for value in of_product.get(product, ()):
                places.append(place)
                codes.append(known.setdefault(_as_text(value), len(known)))
                if isinstance(value, int | float) and not isinstance(value, bool):
                    numbers.append(float(value))
        return Values(
            np.array(places, dtype=np.int64),
            np.array(codes, dtype=np.int64),
            tuple(known),
            np.array(numbers) if numbers and len(numbers) == len(places) else None,
        )

    def value_counts(
        self, field: str, condition: Condition | None = None, limit: int = 100
    ) -> list[tuple[str, int]]:
        allowed = _allowed(condition)
        held = {
            (product, _as_text(value))
            for product, value in self._snapshot.field_of(field)
            if _is_value(value)
            and (allowed is None or allowed[self._snapshot.positions_of([product])[0]])
        }
        counts = Counter(value for _, value in held)
        return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:limit]

    def _at(self, products: Ids) -> Ids:
        return self._snapshot.positions_of(products)

    def _places(self, products: Ids) -> Ids:
        """Of those of the products that there are."""
        known = self._snapshot.product_ids
        if not len(known):
            return np.empty(0, dtype=np.int64)
        places = self._at(products).clip(max=len(known) - 1)
        return np.asarray(places[known[places] == products])


class LiveGeneration:
    """The generation that CURRENT names, opened; safe to share between threads."""

    def __init__(self, index: Path) -> None:
        """Raises IndexMissing or IndexDamaged."""
        self._generations = Generations(index)
        self._lock = threading.Lock()
        self._stamp = self._generations.stamp()
        self._open_one = self._open()

    def get(self) -> FolderGeneration:
        """The live generation. Use one for the whole of an answer.

        Costs a look at CURRENT. While another thread opens a new generation, and where it cannot
        be opened, the last good one goes on answering.
        """
        if self._generations.stamp() == self._stamp or not self._lock.acquire(blocking=False):
            return self._open_one
        try:
            stamp = self._generations.stamp()
            if stamp is not None and stamp != self._stamp:
                with contextlib.suppress(RetrievalError):
                    self._open_one, self._stamp = self._open(), stamp
            return self._open_one
        finally:
            self._lock.release()

    def newer(self, than: Generation) -> FolderGeneration | None:
        """The live generation where it is another one, waiting for it to be opened."""
        with self._lock:
            stamp = self._generations.stamp()
            if stamp is not None and stamp != self._stamp:
                self._open_one, self._stamp = self._open(), stamp
            return None if self._open_one is than else self._open_one

    def _open(self) -> FolderGeneration:
        # Between reading CURRENT and opening, two more may be published and this one dropped.
        for _ in range(ATTEMPTS - 1):
            with contextlib.suppress(IndexDamaged, GenerationGone):
                return self._opened()
        return self._opened()

    def _opened(self) -> FolderGeneration:
        manifest = live_manifest(self._generations)
        return FolderGeneration(self._generations.folder(manifest.generation), manifest)


def _allowed(condition: Condition | None) -> Flags | None:
    if condition is None:
        return None
    assert isinstance(condition, MaskCondition), "made by another engine"
    return condition.allowed


def _is_value(value: Any) -> bool:
    return value is not None and value != ""


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def write_map(catalog_map: CatalogMap, folder: Path) -> None:
    np.save(folder / MAP_IDS_FILE, catalog_map.ids)
    np.save(folder / MAP_PLACES_FILE, catalog_map.places)


def read_map(folder: Path) -> CatalogMap | None:
    """The map of a generation; None where it has none."""
    try:
        return CatalogMap(np.load(folder / MAP_IDS_FILE), np.load(folder / MAP_PLACES_FILE))
    except FileNotFoundError:
        return None
