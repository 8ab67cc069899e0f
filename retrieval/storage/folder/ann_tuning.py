"""Which type of index, how wide it is searched, and what recall that gives.

Queries of both kinds are measured: text-like ones lie off the cloud of the photos, and an index
that finds a photo's neighbours nearly always may miss a third of a text's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrieval.common.vectors import Vectors
from retrieval.storage.base import DECIMALS
from retrieval.storage.entities import Ids, Modality
from retrieval.storage.folder.ann import CODED, CODED_DEPTH, LEAST_CODED, AnnIndex

EXACT = "flat"
COMPRESSED = CODED
RECALL_AT = 20
NEARLY_ALL = 0.9995
NEARLY_ALL_UP_TO = 300_000
RECALL_QUERIES = 200
EXACT_CHUNK = 65_536
BYTES_A_COMPONENT = 4


@dataclass(frozen=True)
class Recall:
    """Share of the true RECALL_AT nearest that the index finds, by kind of query; 0 to 1."""

    by_query: dict[str, float]

    @property
    def worst(self) -> float:
        return min(self.by_query.values(), default=1.0)


def most_exact(limit: int, memory_mb: float | None, dim: int) -> int:
    """Vectors of `dim` components that `auto` searches exactly: up to a limit, and as many as the
    memory allows that an exact index holds them in."""
    if memory_mb is None:
        return limit
    return min(limit, int(memory_mb * 1e6 / (dim * BYTES_A_COMPONENT)))


def choose_type(wanted: str, count: int, exact_limit: int) -> str:
    """`auto` is exact up to `exact_limit` vectors, then cells of codes with exact rescoring.

    Of fewer vectors than there are codes none can be learnt: then the search is exact, too.
    """
    kind = wanted
    if wanted == "auto":
        kind = EXACT if count <= exact_limit else COMPRESSED
    return EXACT if kind == CODED and count < LEAST_CODED else kind


def goal_for(count: int, goal: float) -> float:
    """The recall to tune an index of so many vectors for, where `goal` is asked of large ones.

    While it costs no more than a millisecond, what an index misses is not worth missing.
    """
    return max(goal, NEARLY_ALL) if count <= NEARLY_ALL_UP_TO else goal


def tune(
    index: AnnIndex,
    vectors: npt.NDArray[np.float16],
    ids: Ids,
    queries: Mapping[Modality, Vectors],
    goal: float,
) -> Recall:
    """Sets the least effort that reaches `goal` for every kind of query; returns the recall.

    Args:
        vectors: (n, d), the vectors in the index, under `ids` (n,).
        queries: name of the kind -> (q, d).
    """
    asked: dict[str, Vectors] = {
        name: sample[:RECALL_QUERIES] for name, sample in queries.items() if len(sample)
    }
    if index.kind == EXACT or not asked or not len(index):
        return Recall(dict.fromkeys(asked, 1.0))
    truth = {name: exact_ids(vectors, ids, sample) for name, sample in asked.items()}

    def measure() -> Recall:
        return Recall(
            {name: _recall(index, asked[name], truth[name], vectors, ids) for name in asked}
        )

    for effort in _efforts(index):
        index.search_effort, index.rescore_depth = effort
        recall = measure()
        if recall.worst >= goal:
            break
    return recall


def _efforts(index: AnnIndex) -> list[tuple[int, int]]:
    """Pairs of search effort and rescore depth, from the least to all that can be done."""
    efforts = [index.search_effort]
    while 0 < efforts[-1] < index.max_effort:
        efforts.append(min(index.max_effort, efforts[-1] * 2))
    if index.kind != CODED:
        return [(effort, index.rescore_depth) for effort in efforts]
    # Twice the depth costs less than twice the effort, and finds what the codes had put too low.
    deep = [(effort, depth) for effort in efforts for depth in (CODED_DEPTH, 2 * CODED_DEPTH)]
    return [*deep, (efforts[-1], 4 * CODED_DEPTH), (efforts[-1], 8 * CODED_DEPTH)]


def exact_ids(vectors: npt.NDArray[np.float16], ids: Ids, queries: Vectors) -> Ids:
    """The true nearest ids of each query, (q, k), by brute force in chunks of rows."""
    k = min(RECALL_AT, len(ids))
    best_scores = np.empty((len(queries), 0), dtype=np.float32)
    best_ids = np.empty((len(queries), 0), dtype=np.int64)
    for start in range(0, len(ids), EXACT_CHUNK):
        chunk = np.asarray(vectors[start : start + EXACT_CHUNK], dtype=np.float32)
        scores = np.hstack([best_scores, queries @ chunk.T])
        chunk_ids = np.broadcast_to(ids[start : start + len(chunk)], (len(queries), len(chunk)))
        all_ids = np.hstack([best_ids, chunk_ids])
        keep = np.argpartition(-scores, min(k, scores.shape[1]) - 1, axis=1)[:, :k]
        best_scores = np.take_along_axis(scores, keep, axis=1)
        best_ids = np.take_along_axis(all_ids, keep, axis=1)
    return best_ids


def _recall(
    index: AnnIndex,
    queries: Vectors,
    truth: Ids,
    vectors: npt.NDArray[np.float16],
    ids: Ids,
) -> float:
    # What a search fetches is rescored exactly, so the recall that counts is of the overfetch.
    _, neighbours = index.search(queries, max(index.rescore_depth, truth.shape[1] * 2 + 16))
    hits = 0
    for query, fetched, right in zip(queries, neighbours, truth, strict=True):
        missed = np.setdiff1d(right, fetched)
        hits += len(right) - len(missed)
        if len(missed):
            # Of equal ones any is as right: where most of a catalog shows one photo, which of
            # them stand among the true nearest is chance.
            others = np.setdiff1d(fetched[fetched >= 0], right)
            asked = np.searchsorted(ids, np.concatenate([missed, others]))
            scores = (np.asarray(vectors[asked], dtype=np.float32) @ query).round(DECIMALS)
            as_good = int((scores[len(missed) :] >= scores[: len(missed)].min()).sum())
            hits += min(as_good, int((scores[: len(missed)] == scores[: len(missed)].min()).sum()))
    return round(hits / truth.size, 4)
