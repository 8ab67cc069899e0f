"""Every type of index finds what brute force finds; filters and ties never cost a result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import IndexDamaged, QueryError
from retrieval.settings import INDEX_TYPES
from retrieval.storage.entities import GalleryEntry
from retrieval.storage.folder.ann import AnnIndex
from retrieval.storage.folder.ann_tuning import choose_type, exact_ids, most_exact, tune
from retrieval.storage.folder.ann_updating import LiveIndex, update_index
from retrieval.storage.folder.gallery import Gallery, GalleryFiles

DIM = 16


def clustered(count: int, seed: int = 0) -> npt.NDArray[np.float16]:
    """Unit vectors in clusters, as embeddings lie."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(20, DIM))
    vectors = centres[random.integers(0, 20, count)] + 0.5 * random.normal(size=(count, DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def off_cloud(vectors: npt.NDArray[np.float16], count: int) -> npt.NDArray[np.float32]:
    """Queries that lie off the cloud of the vectors, as texts do off photos."""
    random = np.random.default_rng(9)
    rows = vectors[random.integers(0, len(vectors), count)].astype(np.float32)
    offset = np.zeros(DIM, np.float32)
    offset[0] = 1.5
    queries = rows + offset
    return np.asarray(queries / np.linalg.norm(queries, axis=1, keepdims=True), np.float32)


def gallery(vectors: npt.NDArray[np.float16], kind: str = "flat") -> Gallery:
    ids = np.arange(len(vectors), dtype=np.int64) * 3 + 5
    products = np.arange(len(vectors), dtype=np.int32) // 2
    return Gallery(AnnIndex.build(kind, vectors, ids), vectors, ids, products)


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


@pytest.mark.parametrize("kind", INDEX_TYPES)
@pytest.mark.parametrize("share", [0.01, 0.3, 0.9])
def test_a_filter_finds_only_what_passes_and_all_of_it(kind: str, share: float) -> None:
    vectors = clustered(4_000)
    found = gallery(vectors, kind)
    found.index.search_effort = found.index.max_effort
    allowed = np.random.default_rng(2).random(4_000) < share
    query = off_cloud(vectors, 1)[0]
    ranking = found.nearest(query, 20, allowed)
    assert allowed[ranking.positions].all()
    exact = np.where(allowed, vectors.astype(np.float64) @ query, -2)
    best = set(np.argsort(-exact)[:20])
    assert len(best & set(ranking.positions.tolist())) >= 19


def test_few_allowed_rows_are_searched_exactly_even_by_a_poor_index() -> None:
    vectors = clustered(30_000)
    found = gallery(vectors, "ivf")
    found.index.search_effort = 1
    allowed = np.zeros(30_000, dtype=np.bool_)
    allowed[::300] = True
    query = off_cloud(vectors, 1)[0]
    exact = np.where(allowed, np.round(vectors.astype(np.float64) @ query, 6), -2)
    ranking = found.nearest(query, 10, allowed)
    assert ranking.positions[:10].tolist() == np.lexsort((np.arange(30_000), -exact))[:10].tolist()


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 1_000),
    copies=st.integers(1, 40),
    first=st.integers(1, 30),
    more=st.integers(0, 60),
)
def test_a_longer_list_begins_with_the_shorter_one(
    seed: int, copies: int, first: int, more: int
) -> None:
    """Else page 2 repeats page 1; copies of one photo are what breaks it."""
    vectors = clustered(60, seed)
    vectors[:copies] = vectors[0]
    found = gallery(vectors)
    query = vectors[seed % 60].astype(np.float32)
    short = found.nearest(query, first)
    long = found.nearest(query, first + more)
    assert long.positions[: len(short.positions)].tolist() == short.positions.tolist()
    assert len(short.positions) >= min(first, 60)
    left_out = np.setdiff1d(np.arange(60), short.positions)
    if len(left_out):
        assert found.score(query, left_out).max() < short.scores[-1] + 1e-9


def test_equal_vectors_have_equal_scores_wherever_they_stand() -> None:
    vectors = clustered(1_001)
    vectors[[0, 7, 500, 1_000]] = vectors[3]
    found = gallery(vectors)
    scores = found.score(off_cloud(vectors, 1)[0], np.array([0, 3, 7, 500, 1_000]))
    assert len(set(scores.tolist())) == 1


def test_an_empty_gallery_finds_nothing() -> None:
    found = gallery(np.empty((0, DIM), np.float16))
    assert len(found.nearest(np.ones(DIM, np.float32), 5).positions) == 0
    assert found.positions_of(np.array([1, 2])).tolist() == [-1, -1]


def test_primary_keys_are_found_and_strangers_are_not() -> None:
    found = gallery(clustered(10))
    assert found.positions_of(np.array([5, 8, 32, 6, 99])).tolist() == [0, 1, 9, -1, -1]


def test_auto_is_exact_until_the_limit() -> None:
    assert choose_type("auto", 100, 100) == "flat"
    assert choose_type("auto", 101, 100) == "ivf-pq4"
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


@pytest.mark.parametrize("kind", ["hnsw", "ivf", "ivf-sq8", "ivf-pq4"])
def test_a_filter_costs_an_approximate_index_no_recall(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Allowed rows that lie together, away from most: what the index visits first is not them."""
    monkeypatch.setattr("retrieval.storage.folder.gallery.SCANNED_ROWS", 0)
    vectors = clustered(12_000)
    found = gallery(vectors, kind)
    queries = off_cloud(vectors, 40)
    tune(found.index, vectors, found.ids, {"texts": queries}, goal=0.98)
    allowed = vectors[:, 1] > np.quantile(vectors[:, 1], 0.85)
    exact = np.where(allowed, queries @ vectors.astype(np.float32).T, -2)
    hits = sum(
        len(set(np.argsort(-row)[:20]) & set(found.nearest(q, 20, allowed).positions[:20].tolist()))
        for q, row in zip(queries, exact, strict=True)
    )
    assert hits / 800 >= 0.98


@given(count=st.integers(1, 700), dim=st.sampled_from([8, 33, 64]), seed=st.integers(0, 99))
def test_scores_are_exact_and_those_of_equal_rows_equal(count: int, dim: int, seed: int) -> None:
    """Large galleries are scored from float16, small ones from a copy in float32."""
    chance = np.random.default_rng(seed)
    scale = chance.choice([1.0, 1e-3, 1e-6], (count, 1))  # also what float16 has few bits for
    vectors = chance.standard_normal((count, dim)) * scale
    vectors = (vectors / max(1.0, np.linalg.norm(vectors, axis=1).max())).astype(np.float16)
    vectors = vectors[chance.integers(0, count, count)]  # some of them several times
    query = chance.standard_normal(dim).astype(np.float32)
    query /= np.linalg.norm(query)
    rows = chance.permutation(count)[: count // 2 + 1]
    exact = vectors[rows].astype(np.float64) @ query.astype(np.float64)
    for limit in (0, 10**9):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("retrieval.storage.folder.gallery.WIDENED_BYTES", limit)
            patched.setattr("retrieval.storage.folder.gallery.DECIMALS", 12)  # rounding hides much
            scores = gallery(vectors).score(query, rows)
        np.testing.assert_allclose(scores, exact, rtol=0, atol=1e-6)
        for row in np.unique(vectors[rows], axis=0):
            assert len(set(scores[(vectors[rows] == row).all(axis=1)])) == 1


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


def test_pages_of_coded_neighbours_come_from_one_list() -> None:
    vectors = clustered(3_000)
    found = gallery(vectors, "ivf-pq4")
    query = off_cloud(vectors, 1)[0]
    whole = found.nearest(query, 150).positions
    for page in (1, 20, 40, 100):
        assert found.nearest(query, page).positions[:page].tolist() == whole[:page].tolist()
