"""What the index loses of what the model finds: exact search against the approximate one.

Queries of both kinds are measured: an index that finds a photo's neighbours nearly always may
miss a third of a text's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from retrieval.common.vectors import spread_evenly
from retrieval.encoders import Vectors
from retrieval.evaluation.metrics import Ints
from retrieval.evaluation.sets import Relevant
from retrieval.storage.base import Generation
from retrieval.storage.entities import Ids
from retrieval.storage.folder.ann import AnnIndex
from retrieval.storage.folder.ann_tuning import RECALL_AT, choose_type
from retrieval.storage.folder.gallery import Gallery

MAX_QUERIES = 500
HITS_AT = 10


class PhotoIndex(Protocol):
    """Photos that can be searched.

    Attributes:
        kind: of its index; count: of its vectors.
    """

    kind: str
    count: int

    def nearest(self, query: Vectors, count: int, *, exact: bool = False) -> Ids:
        """Primary keys of the photos nearest to a query (d,), at least `count`, best first."""
        ...


class LivePhotos:
    """The photos of a generation, as a search finds them."""

    def __init__(self, generation: Generation) -> None:
        entry = generation.manifest.galleries["images"]
        self.kind, self.count = entry.index_type, entry.vectors
        self._generation = generation

    def nearest(self, query: Vectors, count: int, *, exact: bool = False) -> Ids:
        return self._generation.nearest("images", query, count, exact=exact).ids


class PhotosInMemory:
    """Photos (n, d) under ids from 0, in an index as `wanted`, or as `auto` chooses."""

    def __init__(self, photos: Vectors, wanted: str, exact_limit: int) -> None:
        stored = photos.astype(np.float16)
        ids = np.arange(len(photos), dtype=np.int64)
        index = AnnIndex.build(choose_type(wanted, len(photos), exact_limit), stored, ids)
        self.kind, self.count = index.kind, len(photos)
        self.gallery = Gallery(index, stored, ids, ids.astype(np.int32))

    def nearest(self, query: Vectors, count: int, *, exact: bool = False) -> Ids:
        search = self.gallery.exact if exact else self.gallery.nearest
        return search(query, count).positions


def index_loss(
    index: PhotoIndex, photo_ids: Ints, texts: Vectors, photos: Vectors, relevant: Relevant
) -> dict[str, Any]:
    """Recall@20 of the index by kind of query, and R@10 of texts with and without it.

    Args:
        photo_ids: (n,) the ids in the index of the photos that are evaluated.
        texts: (m, d); photos: (n, d): queries; at most MAX_QUERIES of each are asked.
        relevant: for each text the photos, by number, that are right.
    """
    kinds = {"texts": (texts, relevant), "images": (photos, None)}
    losses: dict[str, Any] = {"type": index.kind, "vectors": index.count}
    for name, (queries, right) in kinds.items():
        picked = spread_evenly(len(queries), MAX_QUERIES)
        asked = np.asarray(queries[picked], dtype=np.float32)
        exact = [index.nearest(query, RECALL_AT, exact=True) for query in asked]
        nearest = [index.nearest(query, RECALL_AT) for query in asked]
        shared = [
            len(np.intersect1d(a[:RECALL_AT], b)) for a, b in zip(exact, nearest, strict=True)
        ]
        entry: dict[str, Any] = {
            "queries": len(asked),
            f"recall@{RECALL_AT}": round(sum(shared) / sum(len(a[:RECALL_AT]) for a in exact), 5),
        }
        if right is not None:
            wanted = [photo_ids[right[number]] for number in picked]
            entry["R@10_exact"] = _hits(exact, wanted)
            entry["R@10_index"] = _hits(nearest, wanted)
        losses[name] = entry
    return losses


def _hits(listed: Sequence[Ids], wanted: Sequence[npt.NDArray[Any]]) -> float:
    hits = [np.isin(a[:HITS_AT], b).any() for a, b in zip(listed, wanted, strict=True)]
    return round(float(np.mean(hits)), 5)
