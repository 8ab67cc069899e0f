"""One side of a generation that can be searched: the photos, or the texts, of all products.

Beside FAISS it keeps the stored vectors themselves, mapped from disk: small filtered sets are
searched exactly by them, and what an approximate index finds is scored again by them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval.common.vectors import Vectors, spread_evenly
from retrieval.errors import IndexDamaged
from retrieval.storage.base import DECIMALS
from retrieval.storage.entities import Flags, GalleryEntry, Ids, Modality, Scores
from retrieval.storage.folder.ann import CODED, AnnIndex

Positions = npt.NDArray[np.int64]

# Up to so many allowed rows a scan of them beats FAISS under a selector, and is exact. Links of a
# graph lead through rows that are not allowed: filtered, it loses its way sooner.
SCANNED_ROWS = 40_000
SCANNED_SHARE_OF_GRAPH = 0.5
SCAN_CHUNK = 256  # of float32, within a core's own cache
_SIGN_AND_VALUE = np.array(0x8FFFE000, np.uint32).view(np.int32)[()]
# Of a small gallery a copy in float32 is kept: to widen float16 takes longer than all else.
WIDENED_BYTES = 32_000_000
OVERFETCH = 2
# Pages of one query are cut from one list. What an approximate index finds depends on how much it
# is asked for: so every list begins with the same rows of the same number of products, whatever
# the page. Each further request is for four times as many, and from EXACT_FROM on all are scored.
FIRST_ROWS = 1_000
FIRST_PRODUCTS = 500
EXACT_FROM = 65_536


@dataclass(frozen=True)
class Ranking:
    """Rows of a gallery, best first: positions (n,) and scores (n,), cosine in [-1, 1]."""

    positions: Positions
    scores: Scores

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True)
class GalleryFiles:
    """Where a generation keeps the gallery of a modality."""

    folder: Path
    modality: Modality

    @property
    def index(self) -> Path:
        return self.folder / f"{self.modality}.faiss"

    @property
    def vectors(self) -> Path:
        return self.folder / f"{self.modality}.vectors.npy"

    @property
    def ids(self) -> Path:
        return self.folder / f"{self.modality}.ids.npy"

    @property
    def products(self) -> Path:
        return self.folder / f"{self.modality}.products.npy"


class Gallery:
    """Vectors (n, d) with the primary key and the product of each row, and their FAISS index.

    Attributes:
        ids: primary keys, ascending.
        products: position of each row's product in the generation's list of products.
    """

    def __init__(
        self,
        index: AnnIndex,
        vectors: npt.NDArray[np.float16],
        ids: Ids,
        products: npt.NDArray[np.int32],
    ) -> None:
        self.index = index
        self.vectors = vectors
        self.ids = ids
        self.products = products
        self._samples: dict[int, Vectors] = {}
        self._widened: Vectors | None = None

    @classmethod
    def load(cls, files: GalleryFiles, entry: GalleryEntry) -> Gallery:
        """Maps the files of a generation; raises IndexDamaged where FAISS's is not readable."""
        index = AnnIndex.load(
            files.index, entry.index_type, entry.search_effort, entry.rescore_depth
        )
        parts = (files.vectors, files.ids, files.products)
        return cls(index, *(np.load(part, mmap_mode="r") for part in parts))

    def __len__(self) -> int:
        return len(self.ids)

    def check_bounds(self, products: int) -> None:
        """Raises IndexDamaged where the arrays cannot belong together."""
        rows = len(self.ids)
        whole = (
            self.ids.ndim == self.products.ndim == 1
            and self.vectors.ndim == 2
            and len(self.vectors) == len(self.products) == rows
            and (not rows or (self.products.min() >= 0 and self.products.max() < products))
            and bool((self.ids[1:] > self.ids[:-1]).all())
        )
        if not whole:
            raise IndexDamaged("vectors and rows do not fit; run `retrieval verify --repair`")

    def sample(self, count: int) -> Vectors:
        """Float32 (m, d): rows spread evenly over the gallery, m at most `count`."""
        sample = self._samples.get(count)
        if sample is None:
            rows = spread_evenly(len(self), count)
            sample = self._samples[count] = np.asarray(self.vectors[rows], dtype=np.float32)
        return sample

    def positions_of(self, ids: Ids) -> Positions:
        """Where these primary keys stand; -1 for those that the gallery does not have."""
        if not len(self):
            return np.full(len(ids), -1, dtype=np.int64)
        places = np.searchsorted(self.ids, ids).clip(max=len(self) - 1)
        return np.asarray(np.where(self.ids[places] == ids, places, -1))

    def score(self, query: Vectors, positions: Positions) -> Scores:
        """Dot products of `query` (d,) with these rows, rounded to DECIMALS."""
        return np.asarray(self.score_all(query[None], positions)[0])

    def score_all(self, queries: Vectors, positions: Positions) -> Scores:
        """Dot products of `queries` (q, d) with these rows, (q, n), rounded to DECIMALS.

        Each row is summed by itself, in one order wherever it stands: equal rows score equally.
        """
        if 4 * self.vectors.size > WIDENED_BYTES:
            scores = [_scores_of_halves(self.vectors, positions, query) for query in queries]
        else:
            if self._widened is None:
                self._widened = np.asarray(self.vectors, dtype=np.float32)
            rows = self._widened[positions]
            scores = [np.vecdot(rows, query) for query in queries]
        shape = (len(queries), len(positions))  # also where there are none
        return np.asarray(scores, dtype=np.float64).reshape(shape).round(DECIMALS)

    def nearest(self, query: Vectors, k: int, allowed: Flags | None = None) -> Ranking:
        """At least the `k` best rows, and all that tie with the last of them.

        Of an approximate index, what a larger `k` adds may stand between what a smaller one found;
        `paged` is for lists of which pages are cut.

        Args:
            query: (d,), length 1.
            allowed: (n,) rows that may be found, or None for all.
        """
        rows = None if allowed is None else np.flatnonzero(allowed)
        available = len(self) if rows is None else len(rows)
        if available == 0 or k <= 0:
            return Ranking(np.empty(0, np.int64), np.empty(0))
        if rows is not None and (available <= k or self._is_few(available)):
            return _cut(self._scan(query, k, rows), k)
        fetch = self._fetched(k)
        while True:
            fetch = min(fetch, available)
            positions = self._fetch(query, fetch, rows)
            ranking = self._scan(query, k, positions)
            if fetch >= available or len(positions) < fetch or len(ranking) < len(positions):
                return _cut(ranking, k)
            fetch *= 4  # all that was fetched ties with the last of it: more may

    def exact(self, query: Vectors, k: int, allowed: Flags | None = None) -> Ranking:
        """As `nearest`, of every row that is allowed, whatever the index would find."""
        rows = np.arange(len(self)) if allowed is None else np.flatnonzero(allowed)
        if not len(rows) or k <= 0:
            return Ranking(np.empty(0, np.int64), np.empty(0))
        return _cut(self._scan(query, k, rows), k)

    def paged(
        self, query: Vectors, k: int, order: npt.NDArray[Any], allowed: Flags | None = None
    ) -> Ranking:
        """As `nearest`, and a longer list begins with a shorter one whatever the index.

        A row that only a larger request found stands below all that a smaller one did, with the
        score that it has.

        Args:
            order: (products,) where each stands among equals.
        """
        if self.index.kind == "flat":
            return self.in_order(self.nearest(query, k, allowed), order)
        rows = None if allowed is None else np.flatnonzero(allowed)
        available = len(self) if rows is None else len(rows)
        if available <= 2 * FIRST_ROWS or (rows is not None and self._is_few(available)):
            return self.in_order(self.exact(query, k, allowed), order)
        ranking, places = Ranking(np.empty(0, np.int64), np.empty(0)), np.empty(0)
        fetch, lowest = self._fetched(FIRST_ROWS), np.inf
        while True:
            whole = fetch >= min(available, EXACT_FROM)
            fetched = self._all(rows) if whole else self._fetch(query, fetch, rows)
            added = np.setdiff1d(fetched, ranking.positions) if len(ranking) else fetched
            scores = self.score(query, added)
            ranking, places = self._ordered(
                np.concatenate([ranking.positions, added]),
                np.concatenate([ranking.scores, scores]),
                np.concatenate([places, np.minimum(scores, lowest)]),
                order,
            )
            if not len(places) and not whole:  # cells that held nothing: more may
                fetch *= 4
                continue
            # What ties with the last may have more that tie, which the index did not give.
            sure = len(places) if whole else int(np.searchsorted(-places, -places[-1]))
            if lowest < np.inf or whole or self._begins(ranking.positions[:sure]):
                if sure >= k or whole:
                    kept = _tied(places, k)
                    return Ranking(ranking.positions[:kept], ranking.scores[:kept])
                lowest = places[-1]
            fetch *= 4

    def _begins(self, positions: Positions) -> bool:
        """Whether these are enough to begin any list with: rows, and products."""
        if len(positions) < FIRST_ROWS:
            return False
        if len(positions) >= FIRST_PRODUCTS * self._most_rows:
            return True  # whosever they are; to count them takes longer
        return len(np.unique(self.products[positions])) >= FIRST_PRODUCTS

    @cached_property
    def _most_rows(self) -> int:
        """That any product has here."""
        return int(np.bincount(self.products).max(initial=1))

    def in_order(self, ranking: Ranking, order: npt.NDArray[Any]) -> Ranking:
        """With equal scores as their products stand; see `paged`."""
        return self._ordered(ranking.positions, ranking.scores, ranking.scores, order)[0]

    def _ordered(
        self, positions: Positions, scores: Scores, places: Scores, order: npt.NDArray[Any]
    ) -> tuple[Ranking, Scores]:
        """By place, then product, then row."""
        best = np.argsort(-places)
        ranked = places[best]
        if (ranked[1:] == ranked[:-1]).any():  # three keys take three times as long
            best = np.lexsort((positions, order[self.products[positions]], -places))
            ranked = places[best]
        return Ranking(positions[best], scores[best]), ranked

    def _all(self, rows: Positions | None) -> Positions:
        return np.arange(len(self)) if rows is None else rows

    def _fetched(self, k: int) -> int:
        """How many to ask the index for, so that the true `k` are among them.

        Coded types give the same number for many k: what is fetched differs with it, and pages
        cut from different lists could repeat or skip.
        """
        rescore_depth = self.index.rescore_depth
        if not rescore_depth:
            return k * OVERFETCH + 16
        fetch = rescore_depth
        while fetch < k + rescore_depth // 2:
            fetch *= 2
        return fetch

    def _is_few(self, allowed: int) -> bool:
        share = SCANNED_SHARE_OF_GRAPH if self.index.kind == "hnsw" else 0
        return allowed <= max(SCANNED_ROWS, share * len(self))

    def _scan(self, query: Vectors, k: int, rows: Positions) -> Ranking:
        """The best `k` of these rows, with all that tie, by their stored vectors."""
        scores = self.score(query, rows)
        if len(rows) > k:
            best = scores >= np.partition(scores, len(rows) - k)[len(rows) - k]
            rows, scores = rows[best], scores[best]
        return _sorted(rows, scores)

    def _fetch(self, query: Vectors, fetch: int, rows: Positions | None) -> Positions:
        """Rows that the index finds, in no order."""
        if rows is None and fetch >= len(self):
            return np.arange(len(self))
        allowed = None if rows is None else np.asarray(self.ids[rows])
        # Where fewer rows may be found, more must be visited to find as many. Cells of codes are
        # scanned so fast that all of them are.
        share = 1.0 if rows is None else len(rows) / len(self)
        search_effort = min(self.index.max_effort, math.ceil(self.index.search_effort / share))
        if rows is not None and self.index.kind == CODED:
            search_effort = self.index.max_effort
        _, ids = self.index.search(query[None], fetch, allowed, search_effort)
        return self.positions_of(ids[0][ids[0] >= 0])


def _scores_of_halves(
    vectors: npt.NDArray[np.float16], rows: Positions, query: Vectors
) -> npt.NDArray[np.float32]:
    """Dot products of `query` (d,) with these rows of float16: (n,).

    Numpy widens float16 one by one, which takes three times as long as all else. Here its bits
    are moved to where float32 has them; the exponent then is 112 too small, which the query
    makes up for. That is exact, also for the smallest values.
    """
    wide = np.asarray(query * np.float32(2.0**112), dtype=np.float32)
    bits = np.asarray(vectors).view(np.int16)
    scores = np.empty(len(rows), dtype=np.float32)
    buffer = np.empty((SCAN_CHUNK, bits.shape[1]), dtype=np.int32)
    for start in range(0, len(rows), SCAN_CHUNK):
        part = bits.take(rows[start : start + SCAN_CHUNK], axis=0)
        moved = buffer[: len(part)]
        moved[...] = part
        np.left_shift(moved, 13, out=moved)
        np.bitwise_and(moved, _SIGN_AND_VALUE, out=moved)
        np.vecdot(moved.view(np.float32), wide, out=scores[start : start + len(part)])
    return scores


def _sorted(positions: Positions, scores: Scores) -> Ranking:
    order = np.lexsort((positions, -scores))
    return Ranking(positions[order], scores[order])


def _cut(ranking: Ranking, k: int) -> Ranking:
    kept = _tied(ranking.scores, k)
    return Ranking(ranking.positions[:kept], ranking.scores[:kept])


def _tied(scores: Scores, k: int) -> int:
    """How many of these scores, best first, are the best `k` with all that tie with the last."""
    if len(scores) <= k:
        return len(scores)
    return int(np.searchsorted(-scores, -scores[k - 1], side="right"))
