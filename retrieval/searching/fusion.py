"""Lists of products by unlike scores -> one list.

Cosines of texts and of photos live on different scales, and BM25 on a third: they are never
added as they are. Cosines are divided by the spread that they have over the catalog, BM25 by the
most that the words of a query can give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval.storage.base import DECIMALS
from retrieval.storage.entities import Flags, Ids, Scores

# Each list is fused to this depth whatever the page, so that pages of one order are cut.
POOL = 500


@dataclass(frozen=True)
class RankedList:
    """Products, best first, in a unit that lists of other kinds share.

    Attributes:
        products, scores: (n,) each.
        order: (n,) sorts as the ids of the products do.
        floor: what a product counts as that the list does not hold.
    """

    products: Ids
    scores: Scores
    order: npt.NDArray[Any]
    floor: float = 0.0

    def __len__(self) -> int:
        return len(self.products)

    def only(self, kept: Flags) -> RankedList:
        return RankedList(self.products[kept], self.scores[kept], self.order[kept], self.floor)


def nothing() -> RankedList:
    """A list without products."""
    return RankedList(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))


def by_spread(ranked: RankedList, spread: float) -> RankedList:
    """The best POOL by vector, in spreads of the catalog; what is further down counts as the last
    of them."""
    scores = ranked.scores[:POOL] / spread
    floor = float(scores.min(initial=np.inf))
    return RankedList(ranked.products[:POOL], scores, ranked.order[:POOL], floor)


def by_words(words: RankedList, complete: int, near: Ids | None) -> dict[str, RankedList]:
    """The first POOL by words, and those of them that have every word; what is further down counts
    as the last of them.

    Args:
        words: the first `complete` of them have every word.
        near: only these count; then none is cut off.
    """
    place = np.arange(len(words))
    kept = place < POOL if near is None else np.isin(words.products, near)
    every = words.only(kept & (place < complete))
    floors = (0.0, 0.0)
    if near is None and len(words) >= POOL:
        floors = (float(words.scores[kept].min()), float(complete >= POOL))
    pool = words.only(kept)
    return {
        "words": RankedList(pool.products, pool.scores, pool.order, floors[0]),
        "every word": RankedList(every.products, np.ones(len(every)), every.order, floors[1]),
    }


def fuse(lists: Mapping[str, RankedList], weights: Mapping[str, float]) -> RankedList:
    """The weighted sum of lists of products; scores are 0 to 1, which is the best in every list.

    A convex combination of normalised scores, as Bruch, Gai and Ingber (2023), "An analysis of
    fusion functions for hybrid retrieval": unlike ranks, they tell a clear match from the best of
    many weak ones.
    """
    used = {name: ranked for name, ranked in lists.items() if len(ranked) and weights[name] > 0}
    if not used:
        return nothing()
    products, first = np.unique(
        np.concatenate([ranked.products for ranked in used.values()]), return_index=True
    )
    order = np.concatenate([ranked.order for ranked in used.values()])[first]
    scores, most = np.zeros(len(products)), 0.0
    for name, ranked in used.items():
        above = weights[name] * (ranked.scores - ranked.floor)
        scores[np.searchsorted(products, ranked.products)] += above
        most += float(above.max())
    scores = np.round(scores / most, DECIMALS) if most > 0 else np.ones(len(products))
    best = np.lexsort((order, -scores))
    return RankedList(products[best], scores[best], order[best])


def extended(ranked: RankedList, more: RankedList, needed: int) -> RankedList:
    """Products appended that are not there yet, in their order, with score 0."""
    added = np.flatnonzero(~np.isin(more.products, ranked.products))
    added = added[: max(0, needed - len(ranked))]
    return RankedList(
        np.concatenate([ranked.products, more.products[added]]),
        np.concatenate([ranked.scores, np.zeros(len(added))]),
        np.concatenate([ranked.order, more.order[added]]),
    )
