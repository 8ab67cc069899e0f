"""Search among many vectors: numpy, FAISS as it comes, and the index that `auto` chooses."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import faiss
import numpy as np

from retrieval.bench.measuring import Measurement, each_ms, in_turns, once, seconds
from retrieval.bench.synthetic import Cloud, clip_like
from retrieval.common.vectors import Vectors
from retrieval.storage.entities import Modality
from retrieval.storage.folder.ann import AnnIndex
from retrieval.storage.folder.ann_tuning import RECALL_AT, choose_type, exact_ids, goal_for, tune
from retrieval.storage.folder.gallery import Gallery

ASKED = 60
FILTERED = 20
TUNED_ON = 100
SHARES = (0.01, 0.1)


def bench_search(count: int, exact_limit: int, recall_goal: float) -> Iterator[Measurement]:
    """`count` photos, and the RECALL_AT nearest of one query at a time, by one thread."""
    cloud = clip_like(count)
    case = f"{count:,} x {cloud.photos.shape[1]}"
    ids = np.arange(count, dtype=np.int64)
    kind = choose_type("auto", count, exact_limit)
    made: dict[str, Any] = {}
    build = seconds(lambda: made.update(index=AnnIndex.build(kind, cloud.photos, ids)))
    tuned_on: dict[Modality, Vectors] = {
        "images": cloud.photo_queries[:TUNED_ON],
        "texts": cloud.text_queries[:TUNED_ON],
    }
    tuning = seconds(
        lambda: tune(made["index"], cloud.photos, ids, tuned_on, goal_for(count, recall_goal))
    )
    flat = faiss.IndexFlatIP(cloud.photos.shape[1])
    for start in range(0, count, 65_536):
        flat.add(np.asarray(cloud.photos[start : start + 65_536], dtype=np.float32))
    yield once("build an index", case, f"retrieval ({kind})", "s", build + tuning)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.faiss"
        made["index"].save(path)
        size = path.stat().st_size / 1e6
    yield once("memory of an index", case, "FAISS flat", "MB", 4e-6 * cloud.photos.size)
    yield once("memory of an index", case, f"retrieval ({kind})", "MB", size)
    gallery = Gallery(made["index"], cloud.photos, ids, ids.astype(np.int32))
    yield from _bench_whole(case, cloud, gallery, flat)
    for share in SHARES:
        yield from _bench_filtered(case, cloud, gallery, flat, share)


def _bench_whole(case: str, cloud: Cloud, gallery: Gallery, flat: Any) -> Iterator[Measurement]:
    # What the index was tuned on must not judge it.
    queries = {
        "text-like queries": cloud.text_queries[TUNED_ON : TUNED_ON + ASKED],
        "photos": cloud.photo_queries[TUNED_ON : TUNED_ON + ASKED],
    }
    wide = np.asarray(cloud.photos, dtype=np.float32) if len(gallery) <= 100_000 else None
    for kind, asked in queries.items():
        truth = exact_ids(cloud.photos, gallery.ids, asked)
        methods: dict[str, Callable[[], float]] = {}
        if wide is not None:
            methods["numpy"] = partial(each_ms, partial(_by_numpy, wide), asked)
        methods["FAISS flat"] = partial(each_ms, partial(_by_faiss, flat), asked)
        ours = f"retrieval ({gallery.index.kind})"
        methods[ours] = partial(each_ms, partial(gallery.nearest, k=RECALL_AT), asked)
        neighbours = [gallery.nearest(query, RECALL_AT).positions[:RECALL_AT] for query in asked]
        notes = {ours: {"recall@20": _recall(neighbours, truth)}}
        baseline = (next(iter(methods)),)
        with _one_thread():
            yield from in_turns(
                "search", f"{case}, {kind}", "ms", methods, baseline=baseline, notes=notes
            )


def _bench_filtered(
    case: str, cloud: Cloud, gallery: Gallery, flat: Any, share: float
) -> Iterator[Measurement]:
    allowed = np.random.default_rng(1).random(len(gallery)) < share
    selector = faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
    parameters = faiss.SearchParameters(sel=selector)
    asked = cloud.text_queries[TUNED_ON : TUNED_ON + FILTERED]
    rows = np.flatnonzero(allowed)
    truth = rows[exact_ids(cloud.photos[rows], np.arange(len(rows)), asked)]
    neighbours = [gallery.nearest(q, RECALL_AT, allowed).positions[:RECALL_AT] for q in asked]
    ours = f"retrieval ({gallery.index.kind})"
    with _one_thread():
        yield from in_turns(
            "search under a filter",
            f"{case}, {share:.0%} allowed",
            "ms",
            {
                "FAISS flat with a selector": lambda: each_ms(
                    lambda q: flat.search(q[None], RECALL_AT, params=parameters), asked
                ),
                ours: lambda: each_ms(lambda q: gallery.nearest(q, RECALL_AT, allowed), asked),
            },
            baseline=("FAISS flat with a selector",),
            notes={ours: {"recall@20": _recall(neighbours, truth)}},
        )


def _by_faiss(index: Any, query: Any) -> Any:
    return index.search(query[None], RECALL_AT)


def _by_numpy(vectors: Any, query: Any) -> Any:
    scores = vectors @ query
    best = np.argpartition(-scores, RECALL_AT)[:RECALL_AT]
    return best[np.argsort(-scores[best])]


def _recall(neighbours: Any, truth: Any) -> float:
    shared = [len(np.intersect1d(a, b)) for a, b in zip(neighbours, truth, strict=True)]
    return round(sum(shared) / np.asarray(truth).size, 4)


def _one_thread() -> Any:
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)
