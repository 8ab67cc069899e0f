"""A map of the catalog in two dimensions: products that look alike lie side by side.

It is made with a generation, and taken over by the next: a map on which everything moves each
night is none. Only where most of it is gone, or another model sees, is it laid out anew.
"""

from __future__ import annotations

import numpy as np

from retrieval.common.vectors import Vectors, normalise, spread_evenly
from retrieval.storage.entities import CatalogMap, Ids, Places
from retrieval.storage.folder.gallery import Gallery

MAPPED_PRODUCTS = 2_000
LAID_OUT = 1_000
# Fewer have no neighbourhoods to keep: their two main directions show all there is.
NEIGHBOURHOODS_FROM = 60
KEPT_SHARE = 0.5
NEIGHBOURS = 5
SEED = 0


def lay_out(gallery: Gallery, product_ids: Ids, before: CatalogMap | None = None) -> CatalogMap:
    """A map of up to MAPPED_PRODUCTS products, spread evenly over the gallery.

    Args:
        gallery: of photos, or of texts where the catalog has no photos.
        product_ids: primary key of each product, as the gallery counts them; ascending.
        before: the map to go on from, of vectors by the same encoder.
    """
    ids, vectors = _products(gallery, product_ids, before)
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


def _products(gallery: Gallery, product_ids: Ids, before: CatalogMap | None) -> tuple[Ids, Vectors]:
    """Primary keys, ascending, and mean vectors of the products on the map."""
    owners = np.unique(gallery.products)
    if len(owners) > MAPPED_PRODUCTS:
        held = np.isin(product_ids[owners], [] if before is None else before.ids)
        known = owners[held][:MAPPED_PRODUCTS]
        others = np.setdiff1d(owners, known, assume_unique=True)
        room = MAPPED_PRODUCTS - len(known)
        picked = spread_evenly(len(others), room)
        owners = np.sort(np.concatenate([known, others[picked]]))
    rows = np.flatnonzero(np.isin(gallery.products, owners))
    place = np.searchsorted(owners, gallery.products[rows])
    sums = np.zeros((len(owners), gallery.vectors.shape[1]), dtype=np.float32)
    np.add.at(sums, place, np.asarray(gallery.vectors[rows], dtype=np.float32))
    return product_ids[owners], normalise(sums)


def _plane(vectors: Vectors) -> Places:
    """Two coordinates of each vector.

    t-SNE (van der Maaten and Hinton, 2008) as scikit-learn does it, begun from the two main
    directions, which keeps what is far apart far apart.
    """
    if not len(vectors):
        return np.empty((0, 2), dtype=np.float32)
    centred = vectors - vectors.mean(axis=0, keepdims=True)
    if len(vectors) < NEIGHBOURHOODS_FROM:
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
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :NEIGHBOURS]
    weights = np.exp(20 * np.take_along_axis(cosines, nearest, axis=1))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray((places[nearest] * weights[:, :, None]).sum(axis=1), dtype=np.float32)
