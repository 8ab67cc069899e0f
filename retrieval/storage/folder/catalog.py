"""Reads and writes of the indexer: what is stored of a product, and a batch of changes at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Engine, delete, exists, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from retrieval.common.adapter import Adapter
from retrieval.common.products import ProductRecord
from retrieval.encoders.base import Encoder
from retrieval.storage.entities import ProductChange, StoredImage, StoredProduct
from retrieval.storage.folder.database import in_chunks
from retrieval.storage.models import (
    AdapterRow,
    EncoderRow,
    Image,
    ProductRow,
    ProductText,
    State,
    Vector,
)

REVISION = "revision"


def text_hash(content: str) -> str:
    """Hex SHA-256 that a text's vector is stored under; never equal to that of a photo."""
    return hashlib.sha256(b"text " + content.encode()).hexdigest()


class CatalogStore:
    """The indexer's side of `catalog.db`; one writer at a time, which the index lock sees to."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def register_encoder(self, encoder: Encoder, name: str) -> int:
        """The id of the encoder's row, made where it is new; `name` is how to load it."""
        with self.engine.begin() as connection:
            known = connection.execute(
                select(EncoderRow).where(EncoderRow.fingerprint == encoder.fingerprint)
            ).first()
            if known is not None:
                if known.name != name:  # its folder was moved: readers must learn where it is
                    change = update(EncoderRow).where(EncoderRow.id == known.id)
                    connection.execute(change.values(name=name))
                    bump_revision(connection)
                return int(known.id)
            row = insert(EncoderRow).values(
                fingerprint=encoder.fingerprint,
                name=name,
                dim=encoder.dim,
                details=encoder.details.as_dict(),
                active=False,
            )
            return int(connection.execute(row).inserted_primary_key[0])  # type: ignore[index]

    def activate_encoder(self, encoder_id: int) -> None:
        """Makes it the encoder that generations are derived from; the revision counts on."""
        with self.engine.begin() as connection:
            active = select(EncoderRow.active).where(EncoderRow.id == encoder_id)
            if not connection.execute(active).scalar():
                connection.execute(update(EncoderRow).values(active=EncoderRow.id == encoder_id))
                bump_revision(connection)

    def active_encoder(self) -> EncoderRow | None:
        with self.engine.connect() as connection:
            row = connection.execute(select(EncoderRow).where(EncoderRow.active)).first()
        return None if row is None else EncoderRow(**row._mapping)

    def revision(self) -> int:
        """Counts the changes ever made; a generation records the one that it shows."""
        with self.engine.connect() as connection:
            return read_revision(connection)

    def counts(self) -> dict[str, int]:
        with self.engine.connect() as connection:
            return {
                name: connection.execute(select(func.count()).select_from(model)).scalar_one()
                for name, model in (
                    ("products", ProductRow),
                    ("images", Image),
                    ("texts", ProductText),
                )
            }

    def product_ids(self) -> npt.NDArray[np.int64]:
        """Primary keys of all products, ascending."""
        with self.engine.connect() as connection:
            found = connection.execute(select(ProductRow.id).order_by(ProductRow.id)).scalars()
            return np.fromiter(found, np.int64)

    def load(self, keys: Sequence[str], encoder_id: int | None) -> dict[str, StoredProduct]:
        """What is stored of the products with these keys, few enough for one statement."""
        with self.engine.connect() as connection:
            products = connection.execute(
                select(ProductRow.id, ProductRow.key, ProductRow.row_hash).where(
                    ProductRow.key.in_(keys)
                )
            ).all()
            ids = [product.id for product in products]
            images = _images_of(connection, ids, encoder_id)
            texts = _texts_of(connection, ids, encoder_id)
        return {
            product.key: StoredProduct(
                id=product.id,
                row_hash=product.row_hash,
                images=tuple(images.get(product.id, ())),
                text_hashes=tuple(h for h, _ in texts.get(product.id, ())),
                texts_have_vectors=all(has for _, has in texts.get(product.id, ())),
            )
            for product in products
        }

    def known_vectors(self, hashes: Iterable[str], encoder_id: int) -> set[str]:
        """Those of the hashes that have a vector of this encoder."""
        known: set[str] = set()
        with self.engine.connect() as connection:
            for chunk in in_chunks(sorted(set(hashes))):
                query = select(Vector.content_hash).where(
                    Vector.encoder_id == encoder_id, Vector.content_hash.in_(chunk)
                )
                known.update(connection.execute(query).scalars())
        return known

    def write(
        self,
        changes: Sequence[ProductChange],
        vectors: Mapping[str, npt.NDArray[np.float32]],
        encoder_id: int,
    ) -> None:
        """Writes a batch in one transaction: vectors (content hash -> (dim,)) and products."""
        with self.engine.begin() as connection:
            if vectors:
                rows = [
                    {"encoder_id": encoder_id, "content_hash": key, "data": to_blob(vector)}
                    for key, vector in vectors.items()
                ]
                connection.execute(sqlite_insert(Vector).on_conflict_do_nothing(), rows)
            for change in changes:
                _write_product(connection, change)
            if vectors or any(change.visible for change in changes):
                bump_revision(connection)

    def count_except(self, keys: set[str]) -> int:
        """How many products `remove_except` would drop."""
        with self.engine.connect() as connection:
            return sum(
                key not in keys for key in connection.execute(select(ProductRow.key)).scalars()
            )

    def remove_except(self, keys: set[str]) -> int:
        """Drops the products whose key is not among `keys`; returns how many."""
        with self.engine.begin() as connection:
            stored = connection.execute(select(ProductRow.id, ProductRow.key)).all()
            gone = [row.id for row in stored if row.key not in keys]
            for chunk in in_chunks(gone):
                connection.execute(delete(ProductRow).where(ProductRow.id.in_(chunk)))
            if gone:
                bump_revision(connection)
        return len(gone)

    def remove(self, keys: Sequence[str]) -> None:
        """Drops the products with these keys."""
        with self.engine.begin() as connection:
            for chunk in in_chunks(keys):
                connection.execute(delete(ProductRow).where(ProductRow.key.in_(chunk)))
            bump_revision(connection)

    def drop_unused_vectors(self) -> int:
        """Drops the vectors that no photo and no text has any more; returns how many."""
        used = exists().where(Image.content_hash == Vector.content_hash) | exists().where(
            ProductText.content_hash == Vector.content_hash
        )
        with self.engine.begin() as connection:
            return connection.execute(delete(Vector).where(~used)).rowcount

    def incomplete_ids(self, encoder_id: int) -> list[int]:
        """Primary keys of products that lack a vector of this encoder."""
        ids: set[int] = set()
        with self.engine.connect() as connection:
            for model in (Image, ProductText):
                vector = exists().where(
                    Vector.encoder_id == encoder_id, Vector.content_hash == model.content_hash
                )
                ids.update(connection.execute(select(model.product_id).where(~vector)).scalars())
        return sorted(ids)

    def records(self, product_ids: Sequence[int], base: Path) -> Iterator[ProductRecord]:
        """Stored products as records of the same content; `base` is the folder of the index."""
        for ids in in_chunks(product_ids):
            with self.engine.connect() as connection:
                images = _images_of(connection, ids, None)
                rows = connection.execute(select(ProductRow).where(ProductRow.id.in_(ids))).all()
            for row in rows:
                yield ProductRecord(
                    key=row.key,
                    title=row.title,
                    description=row.description,
                    category=row.category,
                    brand=row.brand,
                    price=row.price,
                    attributes=row.attributes,
                    images=tuple(image.path for image in images.get(row.id, ())),
                    base=base,
                    row_hash=row.row_hash,
                )


def to_blob(vector: npt.NDArray[np.float32]) -> bytes:
    """A vector as it is stored: float16, little-endian."""
    return vector.astype("<f2").tobytes()


def read_revision(connection: Connection) -> int:
    value = connection.execute(select(State.value).where(State.name == REVISION)).scalar()
    return int(value or 0)


def bump_revision(connection: Connection) -> None:
    """Counts one more change; see `CatalogStore.revision`."""
    row = sqlite_insert(State).values(name=REVISION, value=1)
    counted = row.on_conflict_do_update(
        index_elements=[State.name], set_={"value": State.value + 1}
    )
    connection.execute(counted)


def _write_product(connection: Connection, change: ProductChange) -> None:
    record = change.record
    values = {
        "key": record.key,
        "title": record.title,
        "description": record.description,
        "category": record.category,
        "brand": record.brand,
        "price": record.price,
        "attributes": record.attributes,
        "row_hash": record.row_hash,
    }
    if change.stored is None:
        done = connection.execute(insert(ProductRow).values(**values))
        product_id = int(done.inserted_primary_key[0])  # type: ignore[index]
    else:
        product_id = change.stored.id
        connection.execute(update(ProductRow).where(ProductRow.id == product_id).values(**values))
    _write_images(connection, product_id, change.images, new=change.stored is None)
    _write_texts(connection, product_id, record, new=change.stored is None)


def _write_images(
    connection: Connection, product_id: int, images: Sequence[StoredImage], new: bool
) -> None:
    """Replaces the photos of a product; one that shows the same keeps its id."""
    free: dict[str, list[int]] = {}
    if not new:
        query = select(Image.id, Image.content_hash).where(Image.product_id == product_id)
        for row in connection.execute(query):
            free.setdefault(row.content_hash, []).append(row.id)
    added: list[dict[str, Any]] = []
    for position, image in enumerate(images):
        values = {name: value for name, value in vars(image).items() if name != "has_vector"}
        values.update(product_id=product_id, position=position)
        kept = free.get(image.content_hash)
        if kept:
            connection.execute(update(Image).where(Image.id == kept.pop(0)).values(**values))
        else:
            added.append(values)
    if added:
        connection.execute(insert(Image), added)
    for chunk in in_chunks([image_id for ids in free.values() for image_id in ids]):
        connection.execute(delete(Image).where(Image.id.in_(chunk)))


def _write_texts(connection: Connection, product_id: int, record: ProductRecord, new: bool) -> None:
    """Replaces the texts of a product; one that says the same keeps its id."""
    kept: dict[tuple[str, str], int] = {}
    if not new:
        query = select(ProductText.id, ProductText.field, ProductText.content_hash)
        for row in connection.execute(query.where(ProductText.product_id == product_id)):
            kept[row.field, row.content_hash] = row.id
    added = []
    for field, content in record.texts:
        hashed = text_hash(content)
        if kept.pop((field, hashed), None) is None:
            added.append(
                {
                    "product_id": product_id,
                    "field": field,
                    "content": content,
                    "content_hash": hashed,
                }
            )
    if added:
        connection.execute(insert(ProductText), added)
    for chunk in in_chunks(list(kept.values())):
        connection.execute(delete(ProductText).where(ProductText.id.in_(chunk)))


def _images_of(
    connection: Connection, ids: Sequence[int], encoder_id: int | None
) -> dict[int, list[StoredImage]]:
    has_vector = exists().where(
        Vector.encoder_id == encoder_id, Vector.content_hash == Image.content_hash
    )
    query = (
        select(
            Image.product_id,
            Image.path,
            Image.content_hash,
            Image.file_hash,
            Image.size,
            Image.mtime_ns,
            Image.width,
            Image.height,
            has_vector.label("has_vector"),
        )
        .where(Image.product_id.in_(ids))
        .order_by(Image.product_id, Image.position)
    )
    images: dict[int, list[StoredImage]] = {}
    for row in connection.execute(query).mappings():
        values: dict[str, Any] = {k: v for k, v in row.items() if k != "product_id"}
        images.setdefault(row["product_id"], []).append(StoredImage(**values))
    return images


def _texts_of(
    connection: Connection, ids: Sequence[int], encoder_id: int | None
) -> dict[int, list[tuple[str, bool]]]:
    has_vector = exists().where(
        Vector.encoder_id == encoder_id, Vector.content_hash == ProductText.content_hash
    )
    query = select(ProductText.product_id, ProductText.content_hash, has_vector).where(
        ProductText.product_id.in_(ids)
    )
    texts: dict[int, list[tuple[str, bool]]] = {}
    for product_id, hashed, has in connection.execute(query):
        texts.setdefault(product_id, []).append((hashed, bool(has)))
    return texts


def stored_adapter(engine: Engine, encoder_id: int) -> Adapter | None:
    """The adapter that was adopted for an encoder's vectors; None where there is none."""
    with engine.connect() as connection:
        query = select(AdapterRow.data).where(AdapterRow.encoder_id == encoder_id)
        data = connection.execute(query).scalar()
    return None if data is None else Adapter.from_bytes(data)


def adopt_adapter(
    engine: Engine, encoder_id: int, adapter: Adapter, details: dict[str, Any]
) -> None:
    """Stores an adapter in place of what was there; `details` say what it was judged by."""
    with engine.begin() as connection:
        connection.execute(delete(AdapterRow).where(AdapterRow.encoder_id == encoder_id))
        row = insert(AdapterRow).values(
            encoder_id=encoder_id, data=adapter.to_bytes(), details=details
        )
        connection.execute(row)
        bump_revision(connection)


def remove_adapter(engine: Engine, encoder_id: int) -> bool:
    """Drops the adapter of an encoder; tells whether there was one."""
    with engine.begin() as connection:
        gone = connection.execute(
            delete(AdapterRow).where(AdapterRow.encoder_id == encoder_id)
        ).rowcount
        if gone:
            bump_revision(connection)
    return bool(gone)
