"""Catalogs in which hardly anything differs: one placeholder photo, one title, one product."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import retrieval
from retrieval.adaptation.pairs import training_pairs, why_unfit
from retrieval.common.progress import Quiet
from retrieval.common.vectors import neighbour_overlap
from retrieval.errors import CatalogError
from retrieval.indexing.calibration import unmeasured
from retrieval.indexing.catalog_map import NEIGHBOURHOODS_FROM
from retrieval.indexing.maintenance import rebuild
from retrieval.settings import INDEX_TYPES, load_settings
from retrieval.storage import open_storage
from tests.support.commands import main
from tests.support.shop import Shop
from tests.support.storage import DIM, ENCODER, MadeUp, drawn, publish_products

ZEROS = np.zeros(DIM, dtype=np.float32)
PALETTE = [drawn("first"), drawn("second"), drawn("third"), ZEROS]


@st.composite
def galleries(draw: st.DrawFn) -> list[MadeUp]:
    """Products of which most show and say the same: all, all but one, or a few kinds."""
    count = draw(st.sampled_from([1, 2, 3, 15, 16, NEIGHBOURHOODS_FROM, 70]))
    usual, odd = draw(st.sampled_from(range(4))), draw(st.sampled_from(range(4)))
    kinds = [usual] * count
    for place in draw(st.lists(st.integers(0, count - 1), max_size=3)):
        kinds[place] = odd
    with_photos, with_titles = draw(st.sampled_from([(True, True), (True, False), (False, True)]))
    category = draw(st.sampled_from([None, "Parts"]))
    return [
        MadeUp(
            f"P{number:03d}",
            f"Part of kind {kind}" if with_titles else "",
            category=category,
            photos={f"{number}.jpg": PALETTE[kind]} if with_photos else {},
            texts={f"Part of kind {kind}": PALETTE[kind]},
        )
        for number, kind in enumerate(kinds)
    ]


@settings(max_examples=12, deadline=None)
@given(products=galleries(), index_type=st.sampled_from(["auto", *INDEX_TYPES]))
def test_every_step_that_learns_from_a_catalog_stands(
    products: list[MadeUp], index_type: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = load_settings(index=Path(folder) / "index")
        storage = open_storage(made.index, made)
        manifest = publish_products(storage, products, index_type=index_type)
        assert rebuild(made, Quiet()).products == len(products)
        generation = storage.current()
        drawn_map = generation.catalog_map()
        assert drawn_map is not None and len(drawn_map.ids) == len(products)
        assert drawn_map.places.min() >= 0 and drawn_map.places.max() <= 1
        for pair in manifest.calibration.values():
            assert math.isfinite(pair.threshold) and math.isfinite(pair.slope)
        assert manifest.recall >= 0.98
        for modality, entry in manifest.galleries.items():
            nearest = generation.nearest(modality, drawn("first"), 100)
            assert len(nearest) == entry.vectors
            vectors = generation.sample_vectors(modality, 100)
            if len(vectors):
                assert math.isfinite(neighbour_overlap(vectors, vectors).overlap)
        counted = dict(generation.value_counts("category"))
        assert counted == ({"Parts": len(products)} if products[0].category else {})
        with storage.reading() as catalog:
            reason = why_unfit(training_pairs(catalog, ENCODER))
            assert reason is not None and "at least" in reason


@pytest.mark.parametrize("index_type", ["flat", "hnsw", "ivf", "ivf-sq8", "ivf-pq4"])
def test_a_vector_that_is_no_number_is_never_published(tmp_path: Path, index_type: str) -> None:
    """FAISS would end with an error of its own, or answer with it for ever."""
    made = load_settings(index=tmp_path / "index")
    broken = np.full(DIM, np.nan, dtype=np.float32)
    products = [MadeUp(f"P{n}", photos={f"{n}.jpg": None}) for n in range(30)]
    storage = open_storage(made.index, made)
    publish_products(storage, products)
    with pytest.raises(CatalogError, match=r"no numbers.*verify --repair"):
        publish_products(
            storage, [MadeUp("bad", photos={"bad.jpg": broken})], index_type=index_type
        )
    assert storage.current().manifest.products == 30


CATALOGS: dict[str, dict[str, Any]] = {
    "one photo": {"image": "images/soon.png"},
    "one title": {"title": "Part", "description": ""},
    "nothing differs": {"title": "Part", "description": "", "image": "images/soon.png"},
    "no photos": {"image": ""},
    "no texts": {"title": "", "description": "", "category": "", "brand": ""},
}


@pytest.mark.parametrize("count", [1, NEIGHBOURHOODS_FROM + 5])
@pytest.mark.parametrize("name", CATALOGS)
def test_a_catalog_without_variety_is_indexed_searched_and_judged(
    tmp_path: Path, tiny_model: str, name: str, count: int
) -> None:
    shop = Shop(tmp_path / "shop")
    Image.linear_gradient("L").save(shop.folder / "images" / "soon.png")
    for number in range(count):
        shop.add(f"P-{number:03d}", "mug", "red", **CATALOGS[name])
        if name == "no texts":
            del shop.rows[f"P-{number:03d}"]["colour"]
    index = tmp_path / "index"
    report = retrieval.build(shop.write(), index, model=tiny_model)
    assert (report.products, report.rejected) == (count, 0)
    if name == "nothing differs" or count == 1:
        assert any("how strong a match is cannot be told" in line for line in report.notes)
    catalog = retrieval.open(index)
    assert catalog.search(like="P-000", limit=100).total == count - 1
    assert not unmeasured(catalog.generation.manifest) or report.notes
    for command in ("evaluate", "adapt"):
        done = main(command, "--index", index, "--json")
        if name == "no photos" and command == "evaluate":
            assert done.returncode == 1 and "no product" in done.stderr.splitlines()[-1]
            assert "Traceback" not in done.stderr
        else:
            assert done.returncode == 0 and json.loads(done.stdout), done.stderr
