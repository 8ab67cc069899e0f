"""An index before and after a run, and how one is held against both once the run was killed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, select

import retrieval
from retrieval.common.progress import Quiet
from retrieval.indexing.maintenance import verify
from retrieval.searching.searcher import Searcher
from retrieval.settings import load_settings
from retrieval.storage.folder.database import CATALOG_FILE, open_catalog
from retrieval.storage.models import Image, ProductRow, ProductText, Vector
from tests.faults.killing import index_source
from tests.support.shop import Shop

WORDS = ("red", "mug", "deluxe", "new")


class Before:
    """An index of one state of a shop, the next state of its source, and both as they should be."""

    def __init__(self, folder: Path, model: str) -> None:
        self.model = model
        shop = Shop(folder / "shop")
        for number in range(16):
            shop.add(f"P-{number:02d}", ("mug", "box")[number % 2], ("red", "blue")[number % 3 > 0])
        retrieval.build(shop.write(), folder / "old", model=model)
        self.old_index = folder / "old"
        self.old = answers(folder / "old")
        for key in list(shop.rows)[:4]:
            shop.rows[key]["title"] += " deluxe"
        for key in list(shop.rows)[4:7]:
            del shop.rows[key]
        for number in range(8):
            shop.add(f"N-{number}", "bottle", "green", description=f"new {number}")
        self.source = shop.write()
        self.new_index = folder / "new"
        shutil.copytree(self.old_index, self.new_index)
        index_source(self.source, self.new_index, model)
        self.new = answers(self.new_index)
        self.contents, self.vectors = stored(self.new_index)
        assert self.old != self.new


def answers(index: Path) -> Any:
    """What a user sees: by words, and by the neighbours of products."""
    return list(answers_of(retrieval.open(index)))


def answers_of(catalog: Searcher) -> Iterator[Any]:
    """Each answer by itself: between two of them, another generation may become live."""
    for word in WORDS:
        yield [(hit.id, hit.title) for hit in catalog.search(word, mode="lexical", limit=50)]
    yield [(hit.id, hit.title) for hit in catalog.search(like="P-00", limit=50)]


def contents(engine: Engine) -> Any:
    """All that the catalog holds, but for primary keys and times."""
    columns = (
        (ProductRow.key, ProductRow.title, ProductRow.description, ProductRow.row_hash),
        (Image.content_hash, Image.file_hash, Image.position),
        (ProductText.field, ProductText.content, ProductText.content_hash),
        (Vector.content_hash,),
    )
    with engine.connect() as connection:
        return [sorted(map(tuple, connection.execute(select(*wanted)))) for wanted in columns]


def vectors(engine: Engine) -> dict[str, Any]:
    """Stored vectors by content hash."""
    with engine.connect() as connection:
        rows = connection.execute(select(Vector.content_hash, Vector.data)).all()
    return {row[0]: np.frombuffer(row[1], "<f2").astype(np.float32) for row in rows}


def stored(index: Path) -> tuple[Any, dict[str, Any]]:
    engine = open_catalog(index / CATALOG_FILE)
    try:
        return contents(engine), vectors(engine)
    finally:
        engine.dispose()


def check(before: Before, index: Path) -> None:
    """Whole now, and after one more run the same as if nothing had happened."""
    assert answers(index) in (before.old, before.new), "an answer mixes two states"
    index_source(before.source, index, before.model)
    assert answers(index) == before.new
    held, made = stored(index)
    assert held == before.contents
    # In other batches the last bit of a sum may differ, and with it that of a float16.
    for key, vector in made.items():
        np.testing.assert_allclose(vector, before.vectors[key], atol=2e-3)
    assert verify(load_settings(index=index), Quiet()).problems == ()
