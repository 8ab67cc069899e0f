"""What the index loses of what the model finds: exact search against the approximate one.

Queries of both kinds are measured: an index that finds a photo's neighbours nearly always may
miss a third of a text's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval.common.vectors import spread_evenly
from retrieval.encoders import Vectors
from retrieval.evaluation.metrics import Ints
from retrieval.evaluation.sets import Relevant
from retrieval.storage.folder.ann import AnnIndex
from retrieval.storage.folder.ann_tuning import RECALL_AT, choose_type, exact_ids
from retrieval.storage.folder.gallery import Gallery

MAX_QUERIES = 500
HITS_AT = 10


def photo_gallery(photos: Vectors, wanted: str, exact_limit: int) -> Gallery:
    """Photos (n, d) in memory, under ids from 0, in an index as `wanted`, or as `auto` chooses."""
    stored = photos.astype(np.float16)
    ids = np.arange(len(photos), dtype=np.int64)
    index = AnnIndex.build(choose_type(wanted, len(photos), exact_limit), stored, ids)
    return Gallery(index, stored, ids, ids.astype(np.int32))


def index_loss(
    gallery: Gallery, photo_ids: Ints, texts: Vectors, photos: Vectors, relevant: Relevant
) -> dict[str, Any]:
    """Recall@20 of the index by kind of query, and R@10 of texts with and without it.

    Args:
        photo_ids: (n,) the ids in the gallery of the photos that are evaluated.
        texts: (m, d); photos: (n, d): queries; at most MAX_QUERIES of each are asked.
        relevant: for each text the photos, by number, that are right.
    """
    kinds = {"texts": (texts, relevant), "images": (photos, None)}
    losses: dict[str, Any] = {"type": gallery.index.kind, "vectors": len(gallery)}
    for name, (queries, right) in kinds.items():
        picked = spread_evenly(len(queries), MAX_QUERIES)
        asked = np.asarray(queries[picked], dtype=np.float32)
        truth = exact_ids(gallery.vectors, np.asarray(gallery.ids), asked)
        neighbours = [gallery.ids[gallery.nearest(query, RECALL_AT).positions] for query in asked]
        shared = [len(np.intersect1d(a, b)) for a, b in zip(neighbours, truth, strict=True)]
        entry: dict[str, Any] = {
            "queries": len(asked),
            f"recall@{RECALL_AT}": round(sum(shared) / truth.size, 5),
        }
        if right is not None:
            wanted = [photo_ids[right[number]] for number in picked]
            exact = [gallery.ids[_exact(gallery, query)] for query in asked]
            entry["R@10_exact"] = _hits(exact, wanted)
            entry["R@10_index"] = _hits(neighbours, wanted)
        losses[name] = entry
    return losses


def _exact(gallery: Gallery, query: Vectors) -> npt.NDArray[np.intp]:
    scores = gallery.score(query, np.arange(len(gallery)))
    return np.argsort(-scores, kind="stable")[:HITS_AT]


def _hits(neighbours: Sequence[npt.NDArray[Any]], wanted: Sequence[npt.NDArray[Any]]) -> float:
    hits = [np.isin(a[:HITS_AT], b).any() for a, b in zip(neighbours, wanted, strict=True)]
    return round(float(np.mean(hits)), 5)
