"""Checksums of what the truth holds: one each for a vector and a row, kept beside it.

SQLite notices a page that is no page, never a byte within a value. A vector of another sign, or a
brand of another letter, would be published, searched and shown as if it were right.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, inspect, select, update

from retrieval.storage.models import Image, ProductRow, ProductText, Vector

ROWS_AT_ONCE = 10_000
Row = type[ProductRow] | type[Image] | type[ProductText]
ROWS: tuple[Row, ...] = (ProductRow, Image, ProductText)
CHECKED = (Vector, *ROWS)


def vector_checksum(content_hash: str, data: bytes) -> int:
    """Of a stored vector and whose it is: two that were exchanged are both wrong."""
    return zlib.crc32(data, zlib.crc32(content_hash.encode()))


def row_checksum(values: Mapping[str, Any] | RowMapping) -> int:
    """Of the columns of a product, a photo or a text, in whatever order they come."""
    held = {str(name): value for name, value in values.items()}
    for name in ("id", "checksum"):
        held.pop(name, None)
    if held.get("price") is not None:
        held["price"] = float(held["price"])  # as SQLite gives it back
    return zlib.crc32(json.dumps(held, sort_keys=True, ensure_ascii=False).encode())


def columns_of(model: Row) -> list[Any]:
    """The columns that a row's checksum is of, and its primary key."""
    return [column for column in model.__table__.columns if column.name != "checksum"]


def shown_columns(model: Row) -> list[Any]:
    """Of these, those that a generation shows as the truth has them: a photo that was looked at
    anew and is the same changes no revision."""
    looked_at = ("file_hash", "size", "mtime_ns")
    return [column for column in columns_of(model) if column.name not in looked_at]


def has_checksums(connection: Connection) -> bool:
    """False of a catalog as an earlier version left it, which cannot be written to here."""
    columns = inspect(connection).get_columns(Vector.__tablename__)
    return any(column["name"] == "checksum" for column in columns)


def unchecked(connection: Connection) -> bool:
    """Whether any row has no checksum yet, as those of earlier versions have none."""
    return any(
        connection.execute(select(model.id).where(model.checksum.is_(None)).limit(1)).first()
        for model in CHECKED
    )


def wrong_rows(connection: Connection, model: Row) -> Iterator[int]:
    """Primary keys of the rows that are not as they were written."""
    query = select(*columns_of(model), model.checksum)
    rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query)
    for row in rows.mappings():
        if row["checksum"] is not None and row["checksum"] != row_checksum(row):
            yield row["id"]


def fill_checksums(connection: Connection) -> None:
    """Gives one to each row that has none."""
    for model in CHECKED:
        columns = [Vector.id, Vector.content_hash, Vector.data]
        query = select(*(columns if model is Vector else columns_of(model)))  # type: ignore[arg-type]
        query = query.where(model.checksum.is_(None)).limit(ROWS_AT_ONCE)
        while rows := connection.execute(query).mappings().all():
            for row in rows:
                if model is Vector:
                    value = vector_checksum(row["content_hash"], row["data"])
                else:
                    value = row_checksum(row)
                change = update(model).where(model.id == row["id"])
                connection.execute(change.values(checksum=value))
