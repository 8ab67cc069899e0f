"""The catalog as one generation shows it: a read-only copy of its rows, with a full-text index.

Readers never touch `catalog.db`. So an indexer that is at work, or was killed, cannot mix its
half-done rows into the answers of the generation that is live, and a rollback shows the rows of
its time.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import urllib.parse
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from sqlalchemy import (
    Connection,
    Engine,
    bindparam,
    create_engine,
    literal,
    select,
    text,
)
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import QueuePool

from retrieval.common.text import folded, visible
from retrieval.errors import GenerationGone, IndexDamaged, RetrievalError
from retrieval.storage.entities import Card, Modality
from retrieval.storage.filters import Filter, leaves
from retrieval.storage.folder.card_rows import image_rows, text_rows
from retrieval.storage.folder.database import in_chunks
from retrieval.storage.folder.field_values import FieldValues, matching, named
from retrieval.storage.folder.fts5 import Spellings, as_indexed, as_it_came, phrase
from retrieval.storage.folder.snapshot_writing import FOLDED_KEYS, FULL_TEXT, WORD_WEIGHTS
from retrieval.storage.models import Image, ProductRow, ProductText

Key = TypeVar("Key")
Value = TypeVar("Value")

SNAPSHOT_FILE = "snapshot.db"
KEPT_MASKS = 64
KEPT_COUNTS = 20_000
KEPT_CARDS = 10_000
KEPT_IDS = 100_000
KEPT_FIELDS = 32
SQL_COLUMNS = {
    "id": ProductRow.key,
    "title": ProductRow.title,
    "category": ProductRow.category,
    "brand": ProductRow.brand,
    "price": ProductRow.price,
}
# A generation of an earlier version has no column for checksums.
_CARDS = select(*(c for c in ProductRow.__table__.c if c.name not in ("row_hash", "checksum")))
# Made once: to put a statement together takes SQLAlchemy longer than SQLite to answer it.
_BY_WORDS = text(
    f"SELECT rowid, -bm25({FULL_TEXT}, {', '.join(map(str, WORD_WEIGHTS))}) AS score "
    f"FROM {FULL_TEXT} WHERE {FULL_TEXT} MATCH :match ORDER BY score DESC, rowid LIMIT :limit"
)
_COUNT = text(f"SELECT count(*) FROM {FULL_TEXT} WHERE {FULL_TEXT} MATCH :match")
_BY_FOLDED_KEYS = text(
    f"SELECT product.id, product.key FROM {FOLDED_KEYS} AS folded "
    "JOIN product ON product.id = folded.product_id WHERE folded.key IN :typed"
).bindparams(bindparam("typed", expanding=True))
# Where ids are not stored folded: SQLite knows the case of ASCII's letters alone, of others the
# usual spellings are tried.
_BY_SPELT_KEY = select(ProductRow.id, ProductRow.key).where(
    ProductRow.key.collate("NOCASE").in_(bindparam("spelt", expanding=True))
)
_NESTED = text(
    "SELECT product.id, each.key, each.value FROM product, json_each(product.attributes) AS each "
    "WHERE each.type IN ('array', 'object')"
)
_FLAT = text(
    "SELECT DISTINCT each.key FROM product, json_each(product.attributes) AS each "
    "WHERE each.type NOT IN ('array', 'object')"
)
_IDS = select(ProductRow.key, ProductRow.id).where(
    ProductRow.key.in_(bindparam("keys", expanding=True))
)
_ROWS = {
    "images": select(Image.id, Image.product_id, literal(""))
    .where(Image.product_id.in_(bindparam("products", expanding=True)))
    .order_by(Image.product_id, Image.position),
    "texts": select(ProductText.id, ProductText.product_id, ProductText.field)
    .where(ProductText.product_id.in_(bindparam("products", expanding=True)))
    .order_by(ProductText.product_id, ProductText.id),
}


class Snapshot:
    """Reads of one generation's rows; safe to share between threads."""

    def __init__(self, path: Path) -> None:
        """Raises IndexDamaged where the file is not such a snapshot."""
        self._path = path
        self._address = f"file:{urllib.parse.quote(str(path.absolute()))}?mode=ro&immutable=1"
        self.engine: Engine = create_engine(
            "sqlite://", creator=self._connect, poolclass=QueuePool, pool_size=8, max_overflow=-1
        )
        self._frequencies: dict[str, int] = {}
        self._cards: dict[int, Card] = {}
        self._ids: dict[str, int] = {}
        self._masks: dict[tuple[Filter, ...], npt.NDArray[np.bool_]] = {}
        self._fields: dict[str, FieldValues] = {}
        self._field_names: list[str] | None = None
        try:
            self.product_ids, self.key_order = self._read_order()
            self._is_folded = self._has_table(FOLDED_KEYS)
        except RetrievalError:
            self.engine.dispose()
            raise

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._address, uri=True, check_same_thread=False)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Connection]:
        """A connection; raises GenerationGone or IndexDamaged where the file cannot be read.

        Connections are opened when they are first needed: that may be after several generations
        were published within a moment, and this one dropped.
        """
        try:
            with self.engine.connect() as connection:
                yield connection
        except (DatabaseError, sqlite3.DatabaseError) as error:
            if not self._path.exists():
                raise GenerationGone(f"{self._path.parent} was dropped; ask again") from None
            raise IndexDamaged(
                f"{self._path} cannot be read ({getattr(error, 'orig', error)}); "
                "run `retrieval verify --repair`"
            ) from None

    def _read_order(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Primary keys (n,) ascending, and the place of each by product id, which breaks ties."""
        query = str(select(ProductRow.id).order_by(ProductRow.key))
        with self._reading() as connection:
            # SQLAlchemy's rows would take four times as long: of a million products, most of what
            # opening an index takes.
            rows = connection.connection.cursor().execute(query)
            by_key = np.fromiter(chain.from_iterable(rows), dtype=np.int64)
        order = np.argsort(by_key)
        return by_key[order], order

    def _has_table(self, name: str) -> bool:
        query = text("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = :name")
        with self._reading() as connection:
            return connection.execute(query, {"name": name}).first() is not None

    @property
    def spellings(self) -> Spellings:
        """How words stand in its full-text index."""
        return as_indexed if self._is_folded else as_it_came

    def close(self) -> None:
        self.engine.dispose()

    def positions_of(
        self, product_ids: Sequence[int] | npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Where these primary keys, all of which must exist, stand in `product_ids`."""
        return np.searchsorted(self.product_ids, np.asarray(product_ids, dtype=np.int64))

    def matching(self, filters: tuple[Filter, ...]) -> npt.NDArray[np.bool_]:
        """(n,) which products meet the filters; read-only."""
        mask = self._masks.get(filters)
        if mask is None:
            mask = matching(filters, len(self.product_ids), self._values_of)
            mask.flags.writeable = False
            if len(self._masks) >= KEPT_MASKS:
                self._masks.clear()
            # The rows never change, and people page through one filter.
            self._masks[filters] = mask
        return mask

    def _values_of(self, name: str) -> FieldValues:
        values = self._fields.get(name)
        if values is None:
            ids, each = [], []
            for number, value in self._leaves_of(name):
                ids.append(number)
                each.append(value)
            places = self.positions_of(ids).tolist()
            values = FieldValues(name, len(self.product_ids), zip(places, each, strict=True))
            if len(self._fields) >= KEPT_FIELDS:
                self._fields.clear()
            self._fields[name] = values
        return values

    def field_names(self) -> list[str]:
        """What can be filtered by: columns that any product has a value in, and attributes."""
        if self._field_names is None:
            with self._reading() as connection:
                columns = [
                    name
                    for name, column in SQL_COLUMNS.items()
                    if connection.execute(
                        select(ProductRow.id).where(column.is_not(None), column != "").limit(1)
                    ).first()
                ]
                attributes = set(connection.execute(_FLAT).scalars())
                for _, key, value in connection.execute(_NESTED):
                    attributes.update(name for name, _ in leaves(key, json.loads(value)))
            self._field_names = columns + sorted(attributes)
        return list(self._field_names)

    def ids_of(self, keys: Sequence[str]) -> dict[str, int]:
        """Primary keys of the products with these ids, of those that there are."""
        return _remembered(self._ids, KEPT_IDS, keys, self._read_ids)

    def _read_ids(self, keys: Sequence[str]) -> dict[str, int]:
        ids: dict[str, int] = {}
        with self._reading() as connection:
            for chunk in in_chunks(keys):
                rows = connection.execute(_IDS, {"keys": chunk})
                ids.update({row.key: row.id for row in rows})
            for chunk in in_chunks([key for key in keys if key not in ids]):
                ids.update(self._read_alike(connection, chunk))
        return ids

    def _read_alike(self, connection: Connection, keys: Sequence[str]) -> dict[str, int]:
        """Composed or not, with hidden characters or without: who reads an id sees one."""
        if self._is_folded:
            typed = [folded(key) for key in keys]
            rows = connection.execute(_BY_FOLDED_KEYS, {"typed": typed}).all()
        else:
            strange = [key for key in keys if visible(key) != key or not key.isascii()]
            rows = [row for key in strange for row in self._alike(connection, key)]
        seen: dict[str, set[int]] = {}
        for row in rows:
            seen.setdefault(visible(row.key), set()).add(row.id)
        alike = {key: seen.get(visible(key), ()) for key in keys}
        return {key: next(iter(only)) for key, only in alike.items() if len(only) == 1}

    def typed_id(self, query: str) -> int | None:
        """The product whose id is what was typed; whatever its case, if only one is."""
        with self._reading() as connection:
            rows = self._alike(connection, query)
        seen = visible(query)
        for same in (
            [row.id for row in rows if row.key == query.strip()],
            [row.id for row in rows if visible(row.key) == seen],
            [row.id for row in rows],
        ):
            if len(same) == 1:
                return int(same[0])
        return None

    def _alike(self, connection: Connection, typed: str) -> Sequence[Any]:
        """Rows of the products whose id is the same as is typed, in any case."""
        if self._is_folded:
            return connection.execute(_BY_FOLDED_KEYS, {"typed": [folded(typed)]}).all()
        seen = visible(typed)
        spelt = {
            case(way)
            for way in as_it_came(typed.strip())
            for case in (str, str.lower, str.upper, str.title)
        }
        rows = connection.execute(_BY_SPELT_KEY, {"spelt": sorted(spelt)}).all()
        return [row for row in rows if folded(row.key) == folded(seen)]

    def rows_of(self, modality: Modality, product_ids: Sequence[int]) -> list[tuple[int, int, str]]:
        """(primary key, product, field) of all photos, or texts, of these products: by ascending
        product, then as a card lists them; the field of a photo is empty."""
        rows: list[tuple[int, int, str]] = []
        with self._reading() as connection:
            for chunk in in_chunks(sorted(set(product_ids))):
                some = connection.execute(_ROWS[modality], {"products": chunk})
                rows += [(row[0], row[1], row[2]) for row in some]
        return rows

    def cards(self, product_ids: Sequence[int]) -> dict[int, Card]:
        """The cards of these products, by primary key."""
        return _remembered(self._cards, KEPT_CARDS, product_ids, self._read_cards)

    def _read_cards(self, product_ids: Sequence[int]) -> dict[int, Card]:
        cards: dict[int, Card] = {}
        with self._reading() as connection:
            for ids in in_chunks(list(product_ids)):
                images = image_rows(connection, ids)
                texts = text_rows(connection, ids)
                for row in connection.execute(_CARDS.where(ProductRow.id.in_(ids))):
                    values = dict(row._mapping)
                    cards[row.id] = Card(
                        **values,
                        images=tuple(images.get(row.id, ())),
                        texts=tuple(texts.get(row.id, ())),
                    )
        return cards

    def scan(self) -> Iterator[Card]:
        """Every card by ascending primary key, read in parts and not remembered."""
        for part in in_chunks(self.product_ids.tolist()):
            cards = self._read_cards(part)
            yield from (cards[number] for number in part)

    def field_of(
        self, field: str, product_ids: Sequence[int] | None = None
    ) -> Iterator[tuple[int, Any]]:
        """(primary key, a value in the column or attribute) of these products, or of all; of a
        list each."""
        return self._leaves_of(folded(field), product_ids)

    def _leaves_of(
        self, name: str, product_ids: Sequence[int] | None = None
    ) -> Iterator[tuple[int, Any]]:
        column = SQL_COLUMNS.get(name, ProductRow.attributes)
        query = select(ProductRow.id, column.label("value"))
        if product_ids is None:
            statements = [str(query)]
        else:
            statements = [
                f"{query} WHERE product.id IN ({', '.join(map(str, chunk))}) ORDER BY product.id"
                for chunk in in_chunks(sorted(set(map(int, product_ids))))
            ]
        with self._reading() as connection:
            for statement in statements:
                # As in `_read_order`, without SQLAlchemy's rows.
                rows = connection.connection.cursor().execute(statement)
                if name in SQL_COLUMNS:
                    yield from rows
                else:
                    yield from named(name, rows)

    def lexical(self, match: str, limit: int | None = None) -> list[tuple[int, float]]:
        """(primary key, BM25 score, higher is better) of the best, or all, that FTS5 matches."""
        with self._reading() as connection:
            most = -1 if limit is None else limit
            matches = connection.execute(_BY_WORDS, {"match": match, "limit": most})
            return [(number, score) for number, score in matches.all()]

    def document_frequency(self, terms: Sequence[str]) -> dict[str, int]:
        """How many products hold each of these words, or words in a row."""
        return _remembered(self._frequencies, KEPT_COUNTS, terms, self._count)

    def _count(self, terms: Sequence[str]) -> dict[str, int]:
        with self._reading() as connection:
            return {
                term: int(
                    connection.execute(_COUNT, {"match": phrase(term, self.spellings)}).scalar_one()
                )
                for term in terms
            }


def _remembered(
    known: dict[Key, Value],
    most: int,
    wanted: Sequence[Key],
    read: Callable[[Sequence[Key]], dict[Key, Value]],
) -> dict[Key, Value]:
    """What `read` says of each wanted key, read once: the rows of a generation never change.

    Other threads may empty `known` at any moment; an answer is made of what was seen in it.
    """
    seen = {key: known.get(key) for key in wanted}
    known_values = {key: value for key, value in seen.items() if value is not None}
    missing = [key for key in seen if key not in known_values]
    made = read(missing) if missing else {}
    if len(known) > most:
        known.clear()
    known.update(made)
    both = {**known_values, **made}
    return {key: both[key] for key in wanted if key in both}
