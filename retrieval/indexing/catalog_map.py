"""A map of the catalog in two dimensions: products that look alike lie side by side.

It is made with a generation, and taken over by the next: a map on which everything moves each
night is none. Only where most of it is gone, or another model sees, is it laid out anew.
"""

from __future__ import annotations

import numpy as np

from retrieval.common.vectors import Vectors, normalise, spread_evenly
from retrieval.storage.base import Generation
from retrieval.storage.entities import CatalogMap, Ids, Modality, Places

MAPPED_PRODUCTS = 2_000
LAID_OUT = 1_000
# Fewer have no neighbourhoods to keep: their two main directions show all there is.
NEIGHBOURHOODS_FROM = 60
EQUAL_DECIMALS = 3  # vectors that differ by less are one place on the map
KEPT_SHARE = 0.5
PLACED_BY = 5
SEED = 0


def lay_out(generation: Generation, before: CatalogMap | None = None) -> CatalogMap:
    """A map of up to MAPPED_PRODUCTS products, spread evenly over the catalog.

    By their photos, or by their texts where the catalog has no photos.

    Args:
        before: the map to go on from, of vectors by the same encoder.
    """
    ids, vectors = _products(generation, before)
    kept = np.zeros(len(ids), dtype=np.bool_)
    if before is not None:
        kept = np.isin(ids, before.ids)
    if before is not None and kept.any() and kept.mean() >= KEPT_SHARE:
        rows = np.searchsorted(before.ids, ids[kept])
        places = _beside(vectors, vectors[kept], before.places[rows])
        places[kept] = before.places[rows]
    else:
        anchors = spread_evenly(len(ids), LAID_OUT)
        laid_out = _spread(_plane(vectors[anchors]))
        places = _beside(vectors, vectors[anchors], laid_out)
        places[anchors] = laid_out
    return CatalogMap(ids, places)


def _products(generation: Generation, before: CatalogMap | None) -> tuple[Ids, Vectors]:
    """Primary keys, ascending, and mean vectors of the products on the map."""
    modality: Modality = "images" if generation.manifest.galleries["images"].vectors else "texts"
    known = np.empty(0, dtype=np.int64)
    if before is not None:
        known = np.unique(generation.rows_of(modality, before.ids).products)[:MAPPED_PRODUCTS]
    others = generation.sample_products(
        MAPPED_PRODUCTS - len(known), with_all_of=(modality,), without=known
    )
    products = np.sort(np.concatenate([known, others]))
    rows = generation.rows_of(modality, products)
    # Summed in the order of their keys: floats added in another would move the map a little.
    by_key = np.argsort(rows.ids)
    sums = np.zeros((len(products), generation.manifest.dim), dtype=np.float32)
    np.add.at(sums, np.searchsorted(products, rows.products[by_key]), rows.vectors[by_key])
    return products, normalise(sums)


def _plane(vectors: Vectors) -> Places:
    """Two coordinates of each vector.

    t-SNE (van der Maaten and Hinton, 2008) as scikit-learn does it, begun from the two main
    directions, which keeps what is far apart far apart. What is equal lies in one place: t-SNE
    divides by the spread of what it is given, and ends the process where there is none.
    """
    if not len(vectors):
        return np.empty((0, 2), dtype=np.float32)
    _, first, place_of = np.unique(
        vectors.round(EQUAL_DECIMALS), axis=0, return_index=True, return_inverse=True
    )
    if len(first) < len(vectors):
        order = np.sort(first)  # as they stood, so that each keeps its place among the others
        return _plane(vectors[order])[np.searchsorted(order, first)[place_of.ravel()]]
    centred = vectors - vectors.mean(axis=0, keepdims=True)
    if len(vectors) < NEIGHBOURHOODS_FROM or vectors.shape[1] < 2:
        left, size, _ = np.linalg.svd(centred, full_matrices=False)
        flat = np.zeros((len(vectors), 2), dtype=np.float32)
        flat[:, : min(2, len(size))] = (left * size)[:, :2]
        return flat
    # Imported where it is needed: it takes a second, and most runs keep the map they have.
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    near = min(30, len(vectors) / 4)
    tsne = TSNE(2, init="pca", perplexity=near, max_iter=400, random_state=SEED)
    # Several threads wait for one another at each of its steps: on a busy machine five times
    # as long as one takes.
    with threadpool_limits(1):
        narrow = PCA(min(32, *centred.shape), random_state=SEED).fit_transform(centred)
        return np.asarray(tsne.fit_transform(narrow), dtype=np.float32)


def _spread(plane: Places) -> Places:
    """Scaled into the unit square; 2% of the outliers give way, so that they do not crowd it."""
    if not len(plane):
        return plane
    low, high = np.quantile(plane, [0.01, 0.99], axis=0)
    return np.asarray(np.clip((plane - low) / np.maximum(high - low, 1e-9), 0, 1), dtype=np.float32)


def _beside(vectors: Vectors, anchors: Vectors, places: Places) -> Places:
    """Each vector between its nearest anchors, the nearer the closer."""
    if not len(anchors):
        return np.zeros((len(vectors), 2), dtype=np.float32)
    cosines = vectors @ anchors.T
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :PLACED_BY]
    weights = np.exp(20 * np.take_along_axis(cosines, nearest, axis=1))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray((places[nearest] * weights[:, :, None]).sum(axis=1), dtype=np.float32)
