"""Indexes that people have stay theirs: one as the first version wrote it is read, changed, mended.

`first_format.tar.xz` holds twelve made-up products whose vectors no model made, published, and
published again without P-11.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

import retrieval
from retrieval.common.progress import Quiet
from retrieval.indexing.maintenance import list_generations, rebuild, rollback, verify
from retrieval.indexing.publishing import publish
from retrieval.settings import Settings, load_settings
from retrieval.storage import open_storage
from tests.support.storage import MadeUp, drawn, write

ARCHIVE = Path(__file__).parent / "first_format.tar.xz"


@pytest.fixture
def old(tmp_path: Path) -> Settings:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return load_settings(index=tmp_path / "index")


def test_it_is_opened_and_searched(old: Settings) -> None:
    catalog = retrieval.open(old.index)
    assert catalog.generation.manifest.generation == 2
    found = catalog.search("red vase", mode="lexical")
    assert found[0].id == "P-08" and found[0].category == "Kitchen > Vases"
    assert catalog.search(like="P-00").total == 10
    assert catalog.search(like="P-00", where={"category": "Kitchen > Mugs"}).total == 3
    nearest = catalog.generation.nearest("images", drawn("images/P-05.jpg"), 1)
    assert catalog.generation.cards(nearest.products.tolist())[nearest.products[0]].key == "P-05"
    assert nearest.scores[0] == pytest.approx(1, abs=1e-3)
    assert catalog.product("P-04").words and len(catalog.catalog_map()) == 11


def test_it_is_verified_and_rebuilt_with_the_same_answers(old: Settings) -> None:
    assert verify(old, Quiet()).ok
    before = retrieval.open(old.index).search(like="P-00", limit=20)
    assert rebuild(old, Quiet()).generation == 3
    after = retrieval.open(old.index).search(like="P-00", limit=20)
    assert [(hit.id, hit.score, hit.strength) for hit in after] == [
        (hit.id, hit.score, hit.strength) for hit in before
    ]
    assert verify(old, Quiet()).ok


def test_it_is_rolled_back(old: Settings) -> None:
    assert rollback(old) == 1
    assert retrieval.open(old.index).search("white vase", mode="lexical")[0].id == "P-11"
    assert [row["ok"] for row in list_generations(old)["generations"]] == [True, True]


def test_it_is_updated_and_keeps_its_primary_keys(old: Settings) -> None:
    storage = open_storage(old.index, old)
    keys = storage.current().product_ids(["P-03", "P-04"])
    with storage.writing() as catalog:
        write(catalog, [MadeUp("P-20", "Black jug", photos={"images/P-20.jpg": None})])
        publish(catalog, Quiet())
    generation = storage.current()
    assert generation.manifest.products == 12
    assert np.array_equal(generation.product_ids(["P-03", "P-04"]), keys)
    assert generation.product_ids(["P-20"])[0] == 13, "that of P-11 is never used again"
    assert retrieval.open(old.index).search("jug", mode="lexical")[0].id == "P-20"
    assert verify(old, Quiet()).ok


def test_one_that_lost_a_file_is_mended(old: Settings) -> None:
    (old.index / "generations" / "2" / "texts.vectors.npy").unlink()
    assert not verify(old, Quiet()).ok
    assert verify(old, Quiet(), repair=True).ok
    assert retrieval.open(old.index).search("red mug", mode="lexical")[0].id == "P-00"
