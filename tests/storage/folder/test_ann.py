"""Every type of index finds the true neighbours, from a file and after changes too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt
import pytest

from retrieval.common.threads import cores, threads_for
from retrieval.errors import IndexDamaged, QueryError
from retrieval.settings import INDEX_TYPES
from retrieval.storage.entities import GalleryEntry
from retrieval.storage.folder.ann import AnnIndex
from retrieval.storage.folder.ann_tuning import choose_type, exact_ids, most_exact, tune
from retrieval.storage.folder.ann_updating import LiveIndex, update_index
from retrieval.storage.folder.gallery import Gallery, GalleryFiles
from tests.support.clouds import clustered, off_cloud


@pytest.mark.parametrize("kind", INDEX_TYPES)
def test_every_type_finds_the_true_neighbours(kind: str) -> None:
    vectors = clustered(3_000)
    ids = np.arange(3_000, dtype=np.int64) + 1_000
    index = AnnIndex.build(kind, vectors, ids)
    queries = {"images": vectors[::30].astype(np.float32), "texts": off_cloud(vectors, 100)}
    recall = tune(index, vectors, ids, queries, goal=0.98)
    assert set(recall.by_query) == {"images", "texts"}
    assert recall.worst >= 0.98
    assert np.array_equal(index.ids(), ids)
    assert len(index) == 3_000


@pytest.mark.parametrize("different", [1, 2, 20])
@pytest.mark.parametrize("kind", INDEX_TYPES)
def test_a_catalog_that_shows_few_photos_many_times_is_found_whole(
    kind: str, different: int
) -> None:
    """Cells that only copies were learnt from stay empty: a search of some would find nothing."""
    vectors = clustered(different)[np.arange(3_000) % different]
    vectors[0] = 0
    index = AnnIndex.build(kind, vectors, np.arange(3_000, dtype=np.int64))
    queries = {"images": vectors[1:40].astype(np.float32), "texts": off_cloud(vectors, 40)}
    recall = tune(index, vectors, np.arange(3_000, dtype=np.int64), queries, goal=0.98)
    assert recall.worst >= 0.9  # of a graph, whose links between heaps of copies are few
    scores, _ = index.search(vectors[1:2].astype(np.float32), 20)
    assert scores.min() > 0.95


@pytest.mark.parametrize("kind", INDEX_TYPES)
def test_ids_are_kept_through_a_file(kind: str, tmp_path: Path) -> None:
    vectors = clustered(500)
    ids = np.random.default_rng(1).permutation(10_000)[:500].astype(np.int64)
    index = AnnIndex.build(kind, vectors, ids)
    index.save(tmp_path / "x.faiss")
    loaded = AnnIndex.load(tmp_path / "x.faiss", kind, index.max_effort)
    query = vectors[:50].astype(np.float32)
    _, found = loaded.search(query, 20)  # codes alone know the order roughly
    assert (found == ids[:50, None]).any(axis=1).mean() > 0.95
    assert np.array_equal(loaded.ids(), np.sort(ids))


def test_auto_is_exact_until_the_limit() -> None:
    assert choose_type("auto", 100, 100) == "flat"
    assert choose_type("auto", 101, 100) == "ivf-pq4"
    assert choose_type("auto", 15, 10) == "flat", "no codes can be learnt of so few"
    assert choose_type("ivf-pq4", 15, 10) == "flat"
    assert choose_type("ivf-pq4", 16, 10) == "ivf-pq4"
    assert choose_type("hnsw", 5, 100) == "hnsw"


def test_a_budget_of_memory_lowers_what_is_searched_exactly() -> None:
    assert most_exact(20_000, None, 512) == 20_000
    assert most_exact(20_000, 1_000, 512) == 20_000
    assert most_exact(20_000, 2.048, 512) == 1_000


def test_the_width_grows_until_texts_are_found_too() -> None:
    vectors = clustered(5_000)
    ids = np.arange(5_000, dtype=np.int64)
    index = AnnIndex.build("ivf", vectors, ids)
    index.search_effort = 1
    easy = {"images": vectors[::50].astype(np.float32)}
    tune(index, vectors, ids, easy, goal=0.5)
    for_photos = index.search_effort
    recall = tune(index, vectors, ids, {**easy, "texts": off_cloud(vectors, 100)}, goal=0.99)
    assert recall.worst >= 0.99
    assert index.search_effort > for_photos


def test_exact_search_in_chunks_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.storage.folder.ann_tuning.EXACT_CHUNK", 17)
    vectors = clustered(100)
    ids = np.arange(100, dtype=np.int64) + 7
    queries = off_cloud(vectors, 5)
    scores = queries @ vectors.astype(np.float32).T
    for row, found in zip(scores, exact_ids(vectors, ids, queries), strict=True):
        assert set(found) == set(np.argsort(-row)[:20] + 7)


def test_unknown_types_and_damaged_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="ivf-sq8"):
        AnnIndex.build("lsh", clustered(3), np.arange(3))
    (tmp_path / "x.faiss").write_bytes(b"nothing")
    with pytest.raises(IndexDamaged, match="rebuild"):
        AnnIndex.load(tmp_path / "x.faiss", "flat", 0)


def saved(folder: Path, vectors: npt.NDArray[np.float16], ids: npt.NDArray[np.int64]) -> LiveIndex:
    """A gallery as a generation has it, coded."""
    index = AnnIndex.build("ivf-pq4", vectors, ids)
    tune(index, vectors, ids, {"images": vectors[:100].astype(np.float32)}, 0.98)
    files = GalleryFiles(folder, "images")
    index.save(files.index)
    np.save(files.ids, ids)
    np.save(files.vectors, vectors)
    entry = GalleryEntry(
        len(ids), "ivf-pq4", index.search_effort, {}, index.rescore_depth, built=len(ids)
    )
    return LiveIndex(files, entry)


def test_a_few_changes_do_not_build_the_index_anew(tmp_path: Path) -> None:
    vectors = clustered(3_000)
    ids = np.arange(3_000, dtype=np.int64)
    before = saved(tmp_path, vectors, ids)
    now, names = np.delete(vectors, np.arange(40), axis=0), np.delete(ids, np.arange(40))
    now[100] = -now[100]  # the same id, another vector
    now, names = np.vstack([now, clustered(30, seed=5)]), np.append(names, np.arange(9_000, 9_030))
    taken = update_index(before, "ivf-pq4", now, names)
    assert taken is not None and taken.changed == 40 + 1 + 1 + 30
    assert np.array_equal(taken.index.ids(), names)
    found = Gallery(taken.index, now, names, np.arange(len(names), dtype=np.int32))
    for row in (0, 100, len(names) - 1):
        query = now[row].astype(np.float32)
        assert row in found.nearest(query / np.linalg.norm(query), 3).positions
    truth = exact_ids(now, names, now[:200].astype(np.float32))
    got = [names[found.nearest(row.astype(np.float32), 20).positions[:20]] for row in now[:200]]
    shared = [len(np.intersect1d(a, b)) for a, b in zip(got, truth, strict=True)]
    assert sum(shared) / truth.size > 0.97


def test_many_changes_another_type_or_a_damaged_file_build_it_anew(tmp_path: Path) -> None:
    vectors = clustered(1_000)
    ids = np.arange(1_000, dtype=np.int64)
    before = saved(tmp_path, vectors, ids)
    assert update_index(before, "ivf-pq4", vectors, ids) is not None
    assert update_index(before, "ivf-pq4", vectors[200:], ids[200:]) is None
    drifted = replace(before, entry=replace(before.entry, changed=99))
    assert update_index(drifted, "ivf-pq4", vectors[2:], ids[2:]) is None
    assert update_index(before, "flat", vectors, ids) is None
    (tmp_path / "images.faiss").write_bytes(b"no index")
    assert update_index(before, "ivf-pq4", vectors, ids) is None


@pytest.mark.parametrize("kind", INDEX_TYPES)
def test_a_small_search_wakes_no_other_core(kind: str) -> None:
    """Beside other searches, pools that spin for one another took four times the work itself."""
    vectors = clustered(2_000)
    index = AnnIndex.build(kind, vectors, np.arange(2_000, dtype=np.int64))
    index.search(vectors[:1].astype(np.float32), 20)
    assert faiss.omp_get_max_threads() == 1
    AnnIndex.build(kind, vectors, np.arange(2_000, dtype=np.int64))
    assert faiss.omp_get_max_threads() == cores(), "what takes long has all of them"


def test_work_is_worth_more_threads_the_longer_it_takes() -> None:
    worth = [threads_for(10**exponent) for exponent in range(14)]
    assert worth == sorted(worth) and worth[0] == 1 and worth[-1] == cores()
