"""A gallery finds what brute force finds; filters, ties and pages never cost a result."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.settings import INDEX_TYPES
from retrieval.storage.folder.ann import AnnIndex
from retrieval.storage.folder.ann_tuning import tune
from retrieval.storage.folder.gallery import Gallery
from tests.support.clouds import DIM, clustered, off_cloud


def gallery(vectors: npt.NDArray[np.float16], kind: str = "flat") -> Gallery:
    ids = np.arange(len(vectors), dtype=np.int64) * 3 + 5
    products = np.arange(len(vectors), dtype=np.int32) // 2
    return Gallery(AnnIndex.build(kind, vectors, ids), vectors, ids, products)


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


def test_pages_of_coded_neighbours_come_from_one_list() -> None:
    vectors = clustered(3_000)
    found = gallery(vectors, "ivf-pq4")
    query = off_cloud(vectors, 1)[0]
    whole = found.nearest(query, 150).positions
    for page in (1, 20, 40, 100):
        assert found.nearest(query, page).positions[:page].tolist() == whole[:page].tolist()
