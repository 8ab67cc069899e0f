"""Measures of a ranking: Recall@K, MRR, nDCG@10 and the rank of the first right answer.

Recall@K is that of image-text retrieval: the share of queries with *any* right answer among the
first K (TREC calls it success@K). nDCG takes the relevance as gain and log2(rank + 1) as
discount, as trec_eval does. full@5, of judged runs, is the share of queries whose first five are
*all* right (or as many as are right at all, where these are fewer).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrieval.common.vectors import Vectors

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CUTOFFS = (1, 5, 10)
NDCG_DEPTH = 10
SAME_CATEGORY_AT = 5
SHARE = f"same category@{SAME_CATEGORY_AT}"
MEASURES = (*(f"R@{k}" for k in CUTOFFS), "MRR", "nDCG@10")
FULL_DEPTH = 5
FULL = f"full@{FULL_DEPTH}"
NEVER = np.iinfo(np.int64).max
DECIMALS = 6
ROWS_AT_ONCE = 256
_DISCOUNTS = 1 / np.log2(np.arange(2, NDCG_DEPTH + 2))


@dataclass(frozen=True)
class Measures:
    """Each measure of each query.

    Attributes:
        by_query: names out of MEASURES, and FULL for a judged run -> (q,), 0 to 1.
        rank: (q,) of the first right answer, from 1; NEVER where there was none.
    """

    by_query: Mapping[str, Floats]
    rank: Ints

    def __len__(self) -> int:
        return len(self.rank)

    def take(self, queries: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Measures:
        """Those of some of the queries."""
        by_query = {name: values[queries] for name, values in self.by_query.items()}
        return Measures(by_query, self.rank[queries])


def measure_vectors(
    queries: Vectors, gallery: Vectors, relevant: Sequence[npt.NDArray[np.intp]]
) -> Measures:
    """Ranks a gallery by cosine for each query, exactly, and measures where the right ones stand.

    Equal scores keep the order of the gallery: a model that tells nothing apart is given what
    chance would give, and the result is the same on every run.

    Args:
        queries: (q, d), rows of length 1.
        gallery: (n, d), likewise.
        relevant: for each query the rows of the gallery that are right; at least one.
    """
    parts = [
        _measure_scores(
            np.round(queries[start : start + ROWS_AT_ONCE] @ gallery.T, DECIMALS),
            relevant[start : start + ROWS_AT_ONCE],
        )
        for start in range(0, len(queries), ROWS_AT_ONCE)
    ]
    return join(parts)


def join(parts: Sequence[Measures]) -> Measures:
    """The measures of several sets of queries, one after the other."""
    if not parts:
        return _from_gains(np.zeros((0, NDCG_DEPTH)), np.zeros(0), np.zeros(0, np.int64))
    names = parts[0].by_query
    return Measures(
        {name: np.concatenate([part.by_query[name] for part in parts]) for name in names},
        np.concatenate([part.rank for part in parts]),
    )


def same_category(
    photos: Vectors,
    owners: Ints,
    labels: Sequence[str | None],
    asked: npt.NDArray[np.intp] | None = None,
) -> Floats | None:
    """Category precision of photo to photo: of each labelled photo, the share of those nearest to
    it, SAME_CATEGORY_AT of them, that are of its label. Photos of the same product are left out.

    Args:
        photos: (n, d), rows of length 1.
        owners: (n,) the product that each photo is of.
        labels: one a photo; None or "" where none is known.
        asked: rows to ask for; None: all.

    Returns:
        (q,) of the asked photos that have a label; None where all labels are one.
    """
    named = np.array([label or "" for label in labels])
    if len(np.unique(named[named != ""])) < 2:
        return None
    rows = np.arange(len(photos)) if asked is None else asked
    rows = rows[named[rows] != ""]
    shares = [np.empty(0)]
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[start : start + ROWS_AT_ONCE]
        cosines = photos[part] @ photos.T
        cosines[owners[part][:, None] == owners[None]] = -np.inf
        k = min(SAME_CATEGORY_AT, cosines.shape[1] - 1)
        nearest = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        others = np.take_along_axis(cosines, nearest, axis=1) > -np.inf
        same = others & (named[nearest] == named[part][:, None])
        shares.append(same.sum(axis=1) / np.maximum(1, others.sum(axis=1)))
    return np.concatenate(shares)


def measure_run(
    judgements: Mapping[str, Mapping[str, float]], run: Mapping[str, Mapping[str, float]]
) -> Measures:
    """Measures a run, as trec_eval reads it: by score, equal scores by the later document id.

    Args:
        judgements: query -> document -> relevance; 0 and below is not relevant. Queries without
            a relevant document are left out.
        run: query -> document -> score; a query that it lacks found nothing.
    """
    queries = judged_queries(judgements)
    gains = np.zeros((len(queries), NDCG_DEPTH))
    ideal = np.zeros(len(queries))
    full = np.zeros(len(queries))
    rank = np.full(len(queries), NEVER, dtype=np.int64)
    for row, query in enumerate(queries):
        scores = run.get(query, {})
        order = sorted(scores, key=lambda document: (scores[document], document), reverse=True)
        relevance = [max(0.0, judgements[query].get(document, 0)) for document in order]
        hits = [place for place, gain in enumerate(relevance, start=1) if gain]
        if hits:
            rank[row] = hits[0]
        best = relevance[:NDCG_DEPTH]
        gains[row, : len(best)] = best
        right = sorted((g for g in judgements[query].values() if g > 0), reverse=True)
        depth = min(FULL_DEPTH, len(right))
        full[row] = hits[:depth] == list(range(1, depth + 1))
        most = right[:NDCG_DEPTH]
        ideal[row] = float(np.dot(most, _DISCOUNTS[: len(most)]))
    measured = _from_gains(gains, ideal, rank)
    return Measures({**measured.by_query, FULL: full}, rank)


def judged_queries(judgements: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The queries that something is relevant to, in the order of the judgements."""
    return [query for query, judged in judgements.items() if any(g > 0 for g in judged.values())]


def _measure_scores(
    scores: npt.NDArray[np.floating], relevant: Sequence[npt.NDArray[np.intp]]
) -> Measures:
    count = len(scores)
    mask = np.zeros(scores.shape, dtype=np.bool_)
    for row, columns in enumerate(relevant):
        mask[row, columns] = True
    wrong = np.where(mask, -np.inf, scores)
    positions = np.arange(scores.shape[1])
    gains = np.zeros((count, NDCG_DEPTH))
    rank = np.full(count, NEVER, dtype=np.int64)
    # Right ones beyond the tenth best cannot stand among the first ten.
    best = [_best_columns(scores[row], columns) for row, columns in enumerate(relevant)]
    for place in range(max(map(len, best), default=0)):
        rows = np.array([row for row in range(count) if len(best[row]) > place])
        columns = np.array([best[row][place] for row in rows])
        reached = scores[rows, columns][:, None]
        before = (wrong[rows] == reached) & (positions[None] < columns[:, None])
        ranks = 1 + place + ((wrong[rows] > reached) | before).sum(axis=1)
        if place == 0:
            rank[rows] = ranks
        counted = ranks <= NDCG_DEPTH
        gains[rows[counted], ranks[counted] - 1] = 1
    ideal = np.array([_DISCOUNTS[: min(len(c), NDCG_DEPTH)].sum() for c in relevant])
    return _from_gains(gains, ideal, rank)


def _best_columns(
    scores: npt.NDArray[np.floating], columns: npt.NDArray[np.intp]
) -> npt.NDArray[np.intp]:
    order = np.lexsort((columns, -scores[columns]))
    return np.asarray(columns)[order[:NDCG_DEPTH]]


def _from_gains(gains: Floats, ideal: Floats, rank: Ints) -> Measures:
    by_query = {f"R@{k}": (rank <= k).astype(np.float64) for k in CUTOFFS}
    by_query["MRR"] = np.where(rank == NEVER, 0.0, 1 / rank)
    by_query["nDCG@10"] = (gains @ _DISCOUNTS) / np.where(ideal > 0, ideal, 1)
    return Measures(by_query, rank)
