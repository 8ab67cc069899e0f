"""The map of the catalog: neighbours stay neighbours, and places stay where they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retrieval
from retrieval.indexing.catalog_map import MAPPED_PRODUCTS, lay_out
from retrieval.storage.entities import CatalogMap
from retrieval.storage.folder.ann import AnnIndex
from retrieval.storage.folder.gallery import Gallery
from retrieval.storage.folder.generation import read_map
from tests.support.shop import Shop


def gallery_of(vectors: Any, products: Any = None) -> Gallery:
    rows = np.asarray(vectors, dtype=np.float16)
    ids = np.arange(1, len(rows) + 1)
    owners = np.arange(len(rows)) if products is None else np.asarray(products)
    return Gallery(AnnIndex.build("flat", rows, ids), rows, ids, owners.astype(np.int32))


def groups(count: int, kinds: int = 4, seed: int = 0) -> tuple[Any, Any]:
    """Vectors about `kinds` directions, and the kind of each."""
    chance = np.random.default_rng(seed)
    centres = chance.standard_normal((kinds, 32))
    kind = np.arange(count) % kinds
    vectors = centres[kind] + 0.3 * chance.standard_normal((count, 32))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), kind


@pytest.mark.parametrize("count", [12, 200])
def test_what_looks_alike_lies_side_by_side(count: int) -> None:
    vectors, kind = groups(count)
    made = lay_out(gallery_of(vectors), np.arange(10, 10 + count))
    assert made.ids.tolist() == list(range(10, 10 + count))
    assert made.places.min() >= 0 and made.places.max() <= 1
    apart = np.linalg.norm(made.places[:, None] - made.places[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (kind[apart.argmin(axis=1)] == kind).mean() > 0.9


def test_products_stay_where_they_were_and_new_ones_join_their_like() -> None:
    vectors, kind = groups(200)
    before = lay_out(gallery_of(vectors[:150]), np.arange(150))
    after = lay_out(gallery_of(vectors), np.arange(200), before)
    assert np.array_equal(after.places[:150], before.places)
    middles = np.stack([before.places[kind[:150] == k].mean(axis=0) for k in range(4)])
    nearest = np.linalg.norm(after.places[150:, None] - middles[None], axis=2).argmin(axis=1)
    assert (nearest == kind[150:]).mean() > 0.9


def test_a_catalog_that_changed_wholly_is_laid_out_anew() -> None:
    vectors, _ = groups(120)
    before = CatalogMap(np.arange(1000, 1100), np.zeros((100, 2), np.float32))
    made = lay_out(gallery_of(vectors), np.arange(120), before)
    assert made.places.std() > 0.1


def test_a_large_catalog_is_shown_in_part_and_by_the_products_it_showed() -> None:
    vectors, _ = groups(MAPPED_PRODUCTS + 500)
    ids = np.arange(len(vectors))
    first = lay_out(gallery_of(vectors), ids)
    assert len(first.ids) == MAPPED_PRODUCTS and len(set(first.ids.tolist())) == MAPPED_PRODUCTS
    gone = np.delete(np.arange(len(vectors)), first.ids[:100])
    second = lay_out(gallery_of(vectors[gone]), ids[gone], first)
    assert set(first.ids[100:].tolist()) <= set(second.ids.tolist())
    assert len(second.ids) == MAPPED_PRODUCTS


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_hardly_any_products_are_no_fault(count: int) -> None:
    vectors, _ = groups(count)
    made = lay_out(gallery_of(vectors.reshape(count, 32)), np.arange(count))
    assert made.places.shape == (count, 2) and np.isfinite(made.places).all()


def test_a_map_is_made_with_a_generation_and_taken_over_by_the_next(
    shop: Shop, index: Path
) -> None:
    first = read_map(index / "generations" / "1")
    assert first is not None and len(first.ids) == 20
    shop.rows["P-001"]["title"] = "Renamed"
    retrieval.build(shop.write(), index)
    second = read_map(index / "generations" / "2")
    assert second is not None and np.array_equal(first.places, second.places)
    placed = retrieval.open(index).catalog_map()
    assert {card.key for card, _, _ in placed} == set(shop.rows)
