"""The photos and texts of the cards that a snapshot shows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from retrieval.storage.entities import ImageRow, TextRow
from retrieval.storage.models import Image, ProductText


def image_rows(connection: Connection, product_ids: Sequence[int]) -> dict[int, list[ImageRow]]:
    query = (
        select(
            Image.product_id,
            Image.id,
            Image.path,
            Image.width,
            Image.height,
            Image.content_hash,
        )
        .where(Image.product_id.in_(product_ids))
        .order_by(Image.product_id, Image.position)
    )
    rows: dict[int, list[ImageRow]] = {}
    for owner, image_id, path, width, height, content_hash in connection.execute(query):
        row = ImageRow(image_id, path, width, height, content_hash)
        rows.setdefault(owner, []).append(row)
    return rows


def text_rows(connection: Connection, product_ids: Sequence[int]) -> dict[int, list[TextRow]]:
    query = (
        select(ProductText.product_id, ProductText.id, ProductText.field, ProductText.content)
        .where(ProductText.product_id.in_(product_ids))
        .order_by(ProductText.id)
    )
    rows: dict[int, list[TextRow]] = {}
    for owner, text_id, field, content in connection.execute(query):
        rows.setdefault(owner, []).append(TextRow(text_id, field, content))
    return rows
