"""Writes the rows of a moment into a file of their own, and indexes their words, folded."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool

from retrieval.common.products import ATTRIBUTES, PRODUCT_FIELDS
from retrieval.common.text import folded
from retrieval.storage.models import Base

FULL_TEXT = "product_words"
# Ids as they are compared. Generations made before there was folding lack it, and their words are
# as they came.
FOLDED_KEYS = "folded_key"
_WEIGHTS = {field.name: field.weight for field in PRODUCT_FIELDS if field.weight is not None}
# The column of the id is called `key`, as `id` is that of the primary key.
WORD_COLUMNS = ("key", *(name for name in _WEIGHTS if name != "id"), ATTRIBUTES)
WORD_WEIGHTS = (*_WEIGHTS.values(), 1.5)
_TABLES = [Base.metadata.tables[name] for name in ("product", "image", "text")]


def write_snapshot(catalog: Path, target: Path) -> None:
    """Copies the rows of `catalog` into a new file and indexes their words."""
    with contextlib.closing(sqlite3.connect(target)) as connection:
        # The file is checksummed and synced as a whole before anyone reads it. Before the tables
        # are made: each of a dozen statements would wait for the disk.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
        Base.metadata.create_all(engine, tables=_TABLES)
        connection.execute("ATTACH DATABASE ? AS source", (str(catalog),))
        for table in _TABLES:
            columns = ", ".join(c.name for c in table.columns if c.name != "checksum")
            connection.execute(
                f"INSERT INTO main.{table.name} ({columns}) "
                f"SELECT {columns} FROM source.{table.name} ORDER BY id"
            )
        connection.execute(
            f"CREATE VIRTUAL TABLE {FULL_TEXT} USING fts5({', '.join(WORD_COLUMNS)}, "
            "content='', tokenize='porter unicode61 remove_diacritics 2')"
        )
        connection.create_function("folded", 1, _folded, deterministic=True)
        connection.execute(
            f"INSERT INTO {FULL_TEXT} (rowid, {', '.join(WORD_COLUMNS)}) "
            "SELECT id, folded(key), folded(title), folded(description), folded(category), "
            "folded(brand), (SELECT folded(group_concat(atom, ' ')) "
            "FROM json_tree(product.attributes) WHERE atom IS NOT NULL) FROM product"
        )
        connection.execute(f"CREATE TABLE {FOLDED_KEYS} (key TEXT, product_id INTEGER)")
        connection.execute(f"INSERT INTO {FOLDED_KEYS} SELECT folded(key), id FROM product")
        connection.execute(f"CREATE INDEX ix_{FOLDED_KEYS} ON {FOLDED_KEYS} (key, product_id)")
        connection.commit()
        connection.execute("DETACH DATABASE source")
        connection.execute("ANALYZE")
        connection.commit()


def _folded(value: str | None) -> str | None:
    return None if value is None else folded(value)
