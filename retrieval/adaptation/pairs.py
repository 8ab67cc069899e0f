"""What an adapter learns from: stored vectors of photos and texts, and which belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrieval.common.products import ATTRIBUTES
from retrieval.common.vectors import spread_evenly
from retrieval.encoders import Vectors, normalise
from retrieval.evaluation.metrics import Ints
from retrieval.evaluation.sets import EvaluationSet, connected
from retrieval.storage.base import Catalog
from retrieval.storage.entities import EncoderInfo, Rows

MIN_GROUPS = 100
MAX_PRODUCTS = 20_000
MAX_SHARE = 0.5
# Products as alike as this must not stand on both sides of a split: what was learnt from one
# would be asked of the other.
NEAR_DUPLICATE = 0.97
ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Pairs:
    """Photos and texts of products.

    Attributes:
        photos: (n, d), as the model makes them, without an adapter.
        texts: (m, d), likewise.
        photo_products: (n,) and text_products (m,): the product that each belongs to, from 0.
        asks: (m,) whether a text is what people ask with: a title, or what stands in its place.
        categories: (n,) of the photos; "" where it is not known.
        groups: (products,) products of one group are alike: they are split together.
        fingerprint: of the model that made the vectors.
    """

    photos: Vectors
    texts: Vectors
    photo_products: Ints
    text_products: Ints
    asks: npt.NDArray[np.bool_]
    categories: npt.NDArray[np.str_]
    groups: Ints
    fingerprint: str

    @property
    def products(self) -> int:
        return len(self.groups)


def training_pairs(catalog: Catalog, encoder: EncoderInfo) -> Pairs:
    """The products of a catalog that have both a photo and a text.

    Of more than MAX_PRODUCTS an even sample is taken, and only its vectors are read.
    """
    both = catalog.products_with(("images", "texts"))
    if len(both) > MAX_PRODUCTS:
        both = both[spread_evenly(len(both), MAX_PRODUCTS)]
    photos = _joined(list(catalog.rows("images", encoder.fingerprint, both)), encoder.dim)
    texts = _joined(list(catalog.rows("texts", encoder.fingerprint, both)), encoder.dim)
    # Many products share their short values: they name kinds, and teach no product.
    own = np.array([field != ATTRIBUTES for field in texts.fields], dtype=np.bool_)
    fields = np.array(texts.fields, dtype=np.str_)[own]
    categories = [record.category or "" for record in catalog.records(both)]
    photo_products = np.searchsorted(both, photos.products)
    return make_pairs(
        normalise(photos.vectors),
        normalise(texts.vectors[own]),
        photo_products,
        np.searchsorted(both, texts.products[own]),
        np.asarray(fields == "title", dtype=np.bool_),
        np.array(categories, dtype=np.str_)[photo_products],
        encoder.fingerprint,
    )


def _joined(parts: Sequence[Rows], dim: int) -> Rows:
    """Parts of a gallery as one; there may be none."""
    none = np.empty(0, dtype=np.int64)
    return Rows(
        np.concatenate([none, *(part.ids for part in parts)]),
        np.concatenate([none, *(part.products for part in parts)]),
        np.concatenate([np.empty((0, dim), np.float32), *(part.vectors for part in parts)]),
        tuple(field for part in parts for field in part.fields),
    )


def evaluation_pairs(
    evaluation_set: EvaluationSet, photos: Vectors, texts: Vectors, fingerprint: str
) -> Pairs:
    """Pairs of a file, with their vectors; what any row joins is one product."""
    text_clusters, photo_clusters = evaluation_set.clusters()
    both = np.unique(text_clusters)
    return make_pairs(
        photos,
        texts,
        np.searchsorted(both, photo_clusters),
        np.searchsorted(both, text_clusters),
        np.ones(len(texts), dtype=np.bool_),
        np.array([label or "" for label in evaluation_set.labels], dtype=np.str_),
        fingerprint,
    )


def make_pairs(
    photos: Vectors,
    texts: Vectors,
    photo_products: Ints,
    text_products: Ints,
    asks: npt.NDArray[np.bool_],
    categories: npt.NDArray[np.str_],
    fingerprint: str,
) -> Pairs:
    """Pairs with their groups; a product none of whose texts asks is asked by the first of them."""
    count = int(max(photo_products.max(initial=-1), text_products.max(initial=-1))) + 1
    asks = asks.copy()
    asked = np.zeros(count, dtype=np.bool_)
    asked[text_products[asks]] = True
    for row, product in enumerate(text_products.tolist()):
        if not asked[product]:
            asks[row] = asked[product] = True
    links = [_alike(photos, photo_products), _alike(texts, text_products)]
    groups = np.unique(connected(count, np.concatenate(links)), return_inverse=True)[1]
    return Pairs(
        photos, texts, photo_products, text_products, asks, categories, groups, fingerprint
    )


def why_unfit(pairs: Pairs, *, one_category: bool = False) -> str | None:
    """One line where nothing of worth can be learnt, or judged, by these pairs; else None.

    Args:
        one_category: that all are of one category is no reason.
    """
    if pairs.products < MIN_GROUPS:
        return (
            f"{pairs.products} products have a photo and a text; at least {MIN_GROUPS} are needed "
            "to learn from some and be judged by others"
        )
    for what, vectors in (("photos", pairs.photos), ("titles", pairs.texts[pairs.asks])):
        different = len(np.unique(vectors.astype(np.float16), axis=0))
        if different < MIN_GROUPS:
            return (
                f"the {len(vectors)} {what} are only {different} different ones; at least "
                f"{MIN_GROUPS} are needed, as copies teach nothing and can be told apart by nothing"
            )
    sizes = np.bincount(pairs.groups)
    if sizes.max() > MAX_SHARE * pairs.products or len(sizes) < MIN_GROUPS:
        return (
            f"most products are near copies of one another ({len(sizes)} groups that differ, the "
            f"largest of {sizes.max()} of {pairs.products} products); they cannot be split into "
            "some to learn from and others to be judged by"
        )
    named = pairs.categories[pairs.categories != ""]
    if not one_category and len(np.unique(named)) == 1 and len(named) * 2 > len(pairs.categories):
        return (
            f"all products are of one category ({named[0]}): what would be lost in telling kinds "
            "of things apart could not be seen; use --force if only such are ever searched for"
        )
    return None


def folds(pairs: Pairs, count: int, seed: int = 0) -> Ints:
    """(products,) a fold from 0 to count - 1; groups stay whole, and folds are about even."""
    order = np.random.default_rng(seed).permutation(int(pairs.groups.max()) + 1)
    sizes = np.bincount(pairs.groups)
    filled = np.zeros(count)
    fold_of_group = np.empty(len(sizes), dtype=np.int64)
    for group in sorted(order.tolist(), key=lambda g: -sizes[g]):
        fold_of_group[group] = smallest = int(np.argmin(filled))
        filled[smallest] += sizes[group]
    return np.asarray(fold_of_group[pairs.groups])


def _alike(vectors: Vectors, products: Ints) -> npt.NDArray[np.intp]:
    """Links (p, 2) that join the products which have a nearly equal vector, through any others."""
    labels = np.arange(len(vectors))
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        near = vectors[start : start + ROWS_AT_ONCE] @ vectors.T > NEAR_DUPLICATE
        for row in range(len(near)):
            joined = np.unique(labels[near[row]])
            if len(joined) > 1:
                # Each time there is a label less, so this is done fewer times than there are rows.
                labels[np.isin(labels, joined)] = joined[0]
    return np.stack([products, products[labels]], axis=1).astype(np.intp)
