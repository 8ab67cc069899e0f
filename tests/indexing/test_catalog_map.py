"""The map of the catalog: neighbours stay neighbours, and places stay where they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retrieval
from retrieval.common.progress import Quiet
from retrieval.indexing.catalog_map import MAPPED_PRODUCTS, lay_out
from retrieval.settings import load_settings
from retrieval.storage import open_storage
from retrieval.storage.entities import CatalogMap
from retrieval.storage.folder.generation import read_map
from tests.support.shop import Shop
from tests.support.storage import ENCODER, MadeUp, write


class Atlas:
    """A catalog of products with a photo each, laid out as a generation is."""

    def __init__(self, folder: Path) -> None:
        self._storage = open_storage(folder, load_settings(index=folder))

    def add(self, vectors: Any, first: int = 1) -> None:
        """Products P-0001, ... whose primary keys count from `first`."""
        dim = np.asarray(vectors).shape[1]
        encoder = replace(ENCODER, fingerprint=f"{dim:016d}", dim=dim)
        numbered = enumerate(np.asarray(vectors), first)
        products = [MadeUp(f"P-{n:04d}", photos={f"{n}.jpg": vector}) for n, vector in numbered]
        with self._storage.writing(create=True) as catalog:
            write(catalog, products, encoder)

    def remove(self, ids: Any) -> None:
        with self._storage.writing() as catalog:
            catalog.remove([f"P-{number:04d}" for number in ids])

    def map(self, before: CatalogMap | None = None) -> CatalogMap:
        with self._storage.reading() as catalog, catalog.draft(Quiet()) as draft:
            return lay_out(draft, before)


@pytest.fixture
def atlas(tmp_path: Path) -> Atlas:
    return Atlas(tmp_path / "atlas")


def groups(count: int, kinds: int = 4, seed: int = 0) -> tuple[Any, Any]:
    """Vectors about `kinds` directions, and the kind of each."""
    chance = np.random.default_rng(seed)
    centres = chance.standard_normal((kinds, 32))
    kind = np.arange(count) % kinds
    vectors = centres[kind] + 0.3 * chance.standard_normal((count, 32))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), kind


@pytest.mark.parametrize("count", [12, 200])
def test_what_looks_alike_lies_side_by_side(atlas: Atlas, count: int) -> None:
    vectors, kind = groups(count)
    atlas.add(vectors)
    made = atlas.map()
    assert made.ids.tolist() == list(range(1, 1 + count))
    assert made.places.min() >= 0 and made.places.max() <= 1
    apart = np.linalg.norm(made.places[:, None] - made.places[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    assert (kind[apart.argmin(axis=1)] == kind).mean() > 0.9


def test_products_stay_where_they_were_and_new_ones_join_their_like(atlas: Atlas) -> None:
    vectors, kind = groups(200)
    atlas.add(vectors[:150])
    before = atlas.map()
    atlas.add(vectors[150:], first=151)
    after = atlas.map(before)
    assert np.array_equal(after.places[:150], before.places)
    middles = np.stack([before.places[kind[:150] == k].mean(axis=0) for k in range(4)])
    nearest = np.linalg.norm(after.places[150:, None] - middles[None], axis=2).argmin(axis=1)
    assert (nearest == kind[150:]).mean() > 0.9


def test_a_catalog_that_changed_wholly_is_laid_out_anew(atlas: Atlas) -> None:
    vectors, _ = groups(120)
    before = CatalogMap(np.arange(1000, 1100), np.zeros((100, 2), np.float32))
    atlas.add(vectors)
    made = atlas.map(before)
    assert made.places.std() > 0.1


def test_a_large_catalog_is_shown_in_part_and_by_the_products_it_showed(atlas: Atlas) -> None:
    vectors, _ = groups(MAPPED_PRODUCTS + 500)
    atlas.add(vectors)
    first = atlas.map()
    assert len(first.ids) == MAPPED_PRODUCTS and len(set(first.ids.tolist())) == MAPPED_PRODUCTS
    atlas.remove(first.ids[:100])
    second = atlas.map(first)
    assert set(first.ids[100:].tolist()) <= set(second.ids.tolist())
    assert len(second.ids) == MAPPED_PRODUCTS


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_hardly_any_products_are_no_fault(atlas: Atlas, count: int) -> None:
    vectors, _ = groups(count)
    atlas.add(vectors.reshape(count, 32))
    made = atlas.map()
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
