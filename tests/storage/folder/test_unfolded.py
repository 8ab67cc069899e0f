"""A generation of an earlier version, whose words and ids were stored as they came, is searched as
before, and by what looks the same."""

from __future__ import annotations

import sqlite3
import unicodedata
from pathlib import Path

import pytest
from sqlalchemy import insert

from retrieval.storage.filters import filters_from
from retrieval.storage.folder.database import CATALOG_FILE, open_catalog
from retrieval.storage.folder.fts5 import match_expression
from retrieval.storage.folder.snapshot import Snapshot
from retrieval.storage.folder.snapshot_writing import FOLDED_KEYS, FULL_TEXT, write_snapshot
from retrieval.storage.models import ProductRow

KEYS = [unicodedata.normalize("NFD", "Küche-1"), "Straße 2", "СТОЛ", "Soft\u00adhyphen", "plain"]


@pytest.fixture(scope="module")
def unfolded(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    folder: Path = tmp_path_factory.mktemp("unfolded")
    engine = open_catalog(folder / CATALOG_FILE)
    with engine.begin() as connection:
        for key in KEYS:
            row = {"key": key, "title": key, "description": "", "attributes": {"n": key}}
            connection.execute(insert(ProductRow).values(row_hash="", brand=key, **row))
    engine.dispose()
    write_snapshot(folder / CATALOG_FILE, folder / "snapshot.db")
    with sqlite3.connect(folder / "snapshot.db") as connection:
        connection.execute(f"DROP TABLE {FOLDED_KEYS}")
        connection.execute(f"INSERT INTO {FULL_TEXT} ({FULL_TEXT}) VALUES ('delete-all')")
        connection.execute(
            f"INSERT INTO {FULL_TEXT} (rowid, key, title) SELECT id, key, title FROM product"
        )
    connection.close()
    return Snapshot(folder / "snapshot.db")


@pytest.mark.parametrize(("number", "key"), list(enumerate(KEYS, start=1)))
def test_it_finds_what_is_stored_and_what_looks_like_it(
    unfolded: Snapshot, number: int, key: str
) -> None:
    seen = unicodedata.normalize("NFC", key.replace("\u00ad", ""))
    for typed in (key, unicodedata.normalize("NFC", key), key.upper(), key.lower()):
        expression = match_expression([typed], every=True, spellings=unfolded.spellings)
        assert expression is not None
        if typed != "STRASSE 2":  # an index that was not folded cannot know of it
            assert [product for product, _ in unfolded.lexical(expression)] == [number]
            assert unfolded.document_frequency([typed]) == {typed: 1}
            assert unfolded.typed_id(typed) == number
    for typed in (key, seen, key.upper(), seen.casefold()):
        for field in ("id", "title", "brand", "n", "N\u200b"):
            mask = unfolded.matching(filters_from({field: typed}))
            assert unfolded.product_ids[mask].tolist() == [number]
    assert unfolded.ids_of([key]) == {key: number}


def test_ids_that_were_taken_apart_are_found_composed(unfolded: Snapshot) -> None:
    assert unfolded.ids_of(["Küche-1"]) == {"Küche-1": 1}
