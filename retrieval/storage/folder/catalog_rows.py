"""The photos and texts of products in `catalog.db`: replaced row by row, and read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, delete, exists, insert, select, update

from retrieval.common.products import ProductRecord
from retrieval.common.text import text_hash
from retrieval.storage.entities import ProductChange, StoredImage
from retrieval.storage.folder.checksums import row_checksum, vector_checksum
from retrieval.storage.folder.database import in_chunks
from retrieval.storage.models import Image, ProductRow, ProductText, Vector


def write_products(connection: Connection, changes: Sequence[ProductChange]) -> None:
    """Writes products; what of them shows or says the same as before keeps its primary key."""
    _insert([change for change in changes if change.stored is None], connection)
    for change in changes:
        if change.stored is not None:
            _update(change, change.stored.id, connection)


def _insert(changes: Sequence[ProductChange], connection: Connection) -> None:
    """All at once: a statement a row would take longer than the model does."""
    if not changes:
        return
    statement = insert(ProductRow).returning(ProductRow.id, sort_by_parameter_order=True)
    products = connection.execute(statement, [_columns(change.record) for change in changes])
    ids = products.scalars().all()
    owned = list(zip(ids, changes, strict=True))
    images = [
        _image_columns(image, number, position)
        for number, change in owned
        for position, image in enumerate(change.images)
    ]
    texts = [
        _text_columns(number, field, content)
        for number, change in owned
        for field, content in change.record.texts
    ]
    if images:
        connection.execute(insert(Image), images)
    if texts:
        connection.execute(insert(ProductText), texts)


def _update(change: ProductChange, product_id: int, connection: Connection) -> None:
    row = update(ProductRow).where(ProductRow.id == product_id)
    connection.execute(row.values(**_columns(change.record)))
    _update_images(connection, product_id, change.images)
    _update_texts(connection, product_id, change.record)


def _update_images(connection: Connection, product_id: int, images: Sequence[StoredImage]) -> None:
    free: dict[str, list[int]] = {}
    query = select(Image.id, Image.content_hash).where(Image.product_id == product_id)
    for row in connection.execute(query):
        free.setdefault(row.content_hash, []).append(row.id)
    added: list[dict[str, Any]] = []
    for position, image in enumerate(images):
        values = _image_columns(image, product_id, position)
        kept = free.get(image.content_hash)
        if kept:
            connection.execute(update(Image).where(Image.id == kept.pop(0)).values(**values))
        else:
            added.append(values)
    if added:
        connection.execute(insert(Image), added)
    for chunk in in_chunks([image_id for ids in free.values() for image_id in ids]):
        connection.execute(delete(Image).where(Image.id.in_(chunk)))


def _update_texts(connection: Connection, product_id: int, record: ProductRecord) -> None:
    kept: dict[tuple[str, str], int] = {}
    query = select(ProductText.id, ProductText.field, ProductText.content_hash)
    for row in connection.execute(query.where(ProductText.product_id == product_id)):
        kept[row.field, row.content_hash] = row.id
    added = [
        _text_columns(product_id, field, content)
        for field, content in record.texts
        if kept.pop((field, text_hash(content)), None) is None
    ]
    if added:
        connection.execute(insert(ProductText), added)
    for chunk in in_chunks(list(kept.values())):
        connection.execute(delete(ProductText).where(ProductText.id.in_(chunk)))


def _columns(record: ProductRecord) -> dict[str, Any]:
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
    return _checked(values)


def vector_row(encoder_id: int, content_hash: str, data: bytes) -> dict[str, Any]:
    """The columns of a stored vector."""
    return {
        "encoder_id": encoder_id,
        "content_hash": content_hash,
        "data": data,
        "checksum": vector_checksum(content_hash, data),
    }


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "checksum": row_checksum(values)}


def _image_columns(image: StoredImage, product_id: int, position: int) -> dict[str, Any]:
    values = {name: value for name, value in vars(image).items() if name != "has_vector"}
    return _checked({**values, "product_id": product_id, "position": position})


def _text_columns(product_id: int, field: str, content: str) -> dict[str, Any]:
    values = {
        "product_id": product_id,
        "field": field,
        "content": content,
        "content_hash": text_hash(content),
    }
    return _checked(values)


def images_of(
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


def texts_of(
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
