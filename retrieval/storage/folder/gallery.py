"""One side of a generation that can be searched: the photos, or the texts, of all products.

Beside FAISS it keeps the stored vectors themselves, mapped from disk: small filtered sets are
searched exactly by them, and what an approximate index finds is scored again by them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from retrieval.common.vectors import spread_evenly
from retrieval.storage.folder.ann import CODED, AnnIndex, Floats, Ids, Mask

Positions = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float64]

# Scores that differ in the last bits only count as equal, and stand by id.
DECIMALS = 6
# Up to so many allowed rows a scan of them beats FAISS under a selector, and is exact. Links of a
# graph lead through rows that are not allowed: filtered, it loses its way sooner.
SCANNED_ROWS = 40_000
SCANNED_SHARE_OF_GRAPH = 0.5
SCAN_CHUNK = 256  # of float32, within a core's own cache
_SIGN_AND_VALUE = np.array(0x8FFFE000, np.uint32).view(np.int32)[()]
BACKGROUND_ROWS = 1_024
# Of a small gallery a copy in float32 is kept: to widen float16 takes longer than all else.
WIDENED_BYTES = 32_000_000
OVERFETCH = 2


@dataclass(frozen=True)
class Ranking:
    """Rows of a gallery, best first: positions (n,) and scores (n,), cosine in [-1, 1]."""

    positions: Positions
    scores: Scores


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
        self._background: Floats | None = None
        self._widened: Floats | None = None

    @classmethod
    def load(
        cls, folder: Path, name: str, kind: str, search_effort: int, rescore_depth: int = 0
    ) -> Gallery:
        """Maps the files of a generation; raises IndexDamaged where FAISS's is not readable."""
        index = AnnIndex.load(folder / f"{name}.faiss", kind, search_effort, rescore_depth)
        parts = [
            np.load(folder / f"{name}.{part}.npy", mmap_mode="r")
            for part in ("vectors", "ids", "products")
        ]
        return cls(index, *parts)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def background(self) -> Floats:
        """Float32 (m, d): rows spread evenly over the gallery, m at most BACKGROUND_ROWS."""
        if self._background is None:
            rows = spread_evenly(len(self), BACKGROUND_ROWS)
            self._background = np.asarray(self.vectors[rows], dtype=np.float32)
        return self._background

    def positions_of(self, ids: Ids) -> Positions:
        """Where these primary keys stand; -1 for those that the gallery does not have."""
        if not len(self):
            return np.full(len(ids), -1, dtype=np.int64)
        found = np.searchsorted(self.ids, ids).clip(max=len(self) - 1)
        return np.where(self.ids[found] == ids, found, -1)

    def score(self, query: Floats, positions: Positions) -> Scores:
        """Dot products of `query` (d,) with these rows, rounded to DECIMALS.

        Each row is summed by itself, in one order wherever it stands: equal rows score equally.
        """
        if 4 * self.vectors.size > WIDENED_BYTES:
            scores = _scores_of_halves(self.vectors, positions, query)
        else:
            if self._widened is None:
                self._widened = np.asarray(self.vectors, dtype=np.float32)
            scores = np.vecdot(self._widened[positions], query)
        return np.asarray(scores, dtype=np.float64).round(DECIMALS)

    def nearest(self, query: Floats, k: int, allowed: Mask | None = None) -> Ranking:
        """At least the `k` best rows, and all that tie with the last of them.

        A longer list begins with a shorter one: so pages neither repeat nor skip.

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
            found = self._fetch(query, fetch, rows)
            ranking = self._scan(query, k, found)
            if fetch >= available or len(found) < fetch or len(ranking.scores) < len(found):
                return _cut(ranking, k)
            fetch *= 4  # all that was found ties with the last of it: more may

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

    def _scan(self, query: Floats, k: int, rows: Positions) -> Ranking:
        """The best `k` of these rows, with all that tie, by their stored vectors."""
        scores = self.score(query, rows)
        if len(rows) > k:
            best = scores >= np.partition(scores, len(rows) - k)[len(rows) - k]
            rows, scores = rows[best], scores[best]
        return _sorted(rows, scores)

    def _fetch(self, query: Floats, fetch: int, rows: Positions | None) -> Positions:
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
    vectors: npt.NDArray[np.float16], rows: Positions, query: Floats
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
    if len(ranking.scores) <= k:
        return ranking
    keep = int(np.searchsorted(-ranking.scores, -ranking.scores[k - 1], side="right"))
    return Ranking(ranking.positions[:keep], ranking.scores[:keep])
