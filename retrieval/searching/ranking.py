"""Vectors and words of a query -> one order of products.

Cosines of texts and of photos live on different scales, and BM25 on a third: they are never
added as they are. Cosines are divided by the spread that they have over the catalog, BM25 by the
most that the words of a query can give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrieval.common.vectors import Vectors, normalise
from retrieval.storage.folder.ann import Mask
from retrieval.storage.folder.gallery import Gallery, Scores

Products = npt.NDArray[np.int64]

# "This lamp, but in brass": the photo says what it is, the words what is to be different.
TEXT_BESIDE_PHOTO = 0.5
# Each list is fused to this depth whatever the page, so that pages of one order are cut.
POOL = 500


@dataclass(frozen=True)
class Part:
    """One part of a query: a unit vector (d,), its modality (`text` or `image`), its weight.

    A negative weight pushes away.
    """

    modality: str
    vector: Vectors
    weight: float


@dataclass(frozen=True)
class Ranked:
    """Products, in a unit that lists of other kinds share.

    Attributes:
        products, scores: (n,) each.
        floor: what a product counts as that the list does not hold.
    """

    products: Products
    scores: Scores
    floor: float = 0.0

    def __len__(self) -> int:
        return len(self.products)


def spread_of(query: Vectors, gallery: Gallery) -> float:
    """The standard deviation of a query's cosines over a sample of a gallery; never 0."""
    return max(1e-3, float((gallery.background @ query).std())) if len(gallery) > 1 else 1.0


def compose(parts: Sequence[Part], gallery: Gallery) -> Vectors:
    """One unit vector (d,) that scores a gallery by the weighted sum of all parts.

    Each part's cosines are first brought to unit spread over a sample of the gallery: those of a
    text vary less than those of a photo, and would drown in a plain sum. As this only scales the
    parts, their sum is again one vector, and one search finds it. Beside a photo a text counts
    TEXT_BESIDE_PHOTO as much, at equal weights.
    """
    if len(parts) == 1 and parts[0].weight > 0:
        return parts[0].vector
    with_photo = any(part.modality == "image" and part.weight > 0 for part in parts)
    total = np.zeros_like(parts[0].vector)
    for part in parts:
        share = TEXT_BESIDE_PHOTO if with_photo and part.modality == "text" else 1.0
        total += share * part.weight / spread_of(part.vector, gallery) * part.vector
    return normalise(total)


def rank_products(
    gallery: Gallery,
    query: Vectors,
    depth: int,
    key_order: Products,
    allowed: Mask | None,
) -> tuple[Products, Scores]:
    """Products by their best row in the gallery: positions and scores, at least `depth`, or all.

    Equal scores stand in the order of product ids. A longer list begins with a shorter one.

    Args:
        key_order: (products,), each product's place by id.
        allowed: (products,) those that may be found, or None for all.
    """
    if gallery.index.kind != "flat":
        # What an approximate index finds depends on how much it is asked for: pages of one order
        # must be cut from one answer.
        depth = max(depth, POOL)
    rows = None if allowed is None else allowed[gallery.products]
    available = len(gallery) if rows is None else int(rows.sum())
    # Of few rows all are as cheap as some, and some might have to be asked for again.
    k = 2 * depth if available > 4 * depth else available
    while True:
        nearest = gallery.nearest(query, k, rows)
        owners = np.asarray(gallery.products[nearest.positions], dtype=np.int64)
        products, first = np.unique(owners, return_index=True)
        if len(products) >= depth or len(owners) >= available or k >= available:
            break
        k *= 4
    scores = nearest.scores[first]
    order = np.lexsort((key_order[products], -scores))
    return products[order], scores[order]


def by_spread(products: Products, cosines: Scores, spread: float) -> Ranked:
    """The best POOL by vector, in spreads of the catalog; what is further down counts as the last
    of them."""
    scores = cosines[:POOL] / spread
    return Ranked(products[:POOL], scores, float(scores.min(initial=np.inf)))


def by_words(words: Ranked, complete: int, near: Products | None) -> dict[str, Ranked]:
    """The first POOL by words, and those of them that have every word; what is further down counts
    as the last of them.

    Args:
        words: the first `complete` of them have every word.
        near: only these count; then none is cut off.
    """
    order = np.arange(len(words))
    kept = order < POOL if near is None else np.isin(words.products, near)
    every = words.products[kept & (order < complete)]
    floors = (0.0, 0.0)
    if near is None and len(words) >= POOL:
        floors = (float(words.scores[kept].min()), float(complete >= POOL))
    return {
        "words": Ranked(words.products[kept], words.scores[kept], floors[0]),
        "every word": Ranked(every, np.ones(len(every)), floors[1]),
    }


def fuse(
    lists: Mapping[str, Ranked], weights: Mapping[str, float], key_order: Products
) -> tuple[Products, Scores]:
    """The weighted sum of lists of products; scores are 0 to 1, which is the best in every list.

    A convex combination of normalised scores, as Bruch, Gai and Ingber (2023), "An analysis of
    fusion functions for hybrid retrieval": unlike ranks, they tell a clear match from the best of
    many weak ones.
    """
    used = {name: found for name, found in lists.items() if len(found) and weights[name] > 0}
    if not used:
        return np.empty(0, np.int64), np.empty(0)
    products = np.unique(np.concatenate([found.products for found in used.values()]))
    scores, most = np.zeros(len(products)), 0.0
    for name, found in used.items():
        above = weights[name] * (found.scores - found.floor)
        scores[np.searchsorted(products, found.products)] += above
        most += float(above.max())
    scores = np.round(scores / most, 6) if most > 0 else np.ones(len(products))
    order = np.lexsort((key_order[products], -scores))
    return products[order], scores[order]


def extended(
    products: Products, scores: Scores, more: Products, needed: int
) -> tuple[Products, Scores]:
    """Products appended that are not there yet, in their order, with score 0."""
    rest = more[~np.isin(more, products)][: max(0, needed - len(products))]
    return np.concatenate([products, rest]), np.concatenate([scores, np.zeros(len(rest))])
