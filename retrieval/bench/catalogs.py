"""Catalogs of any size without photos: rows and vectors as if they had been indexed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert

from retrieval.bench.synthetic import clip_like
from retrieval.encoders import Encoder
from retrieval.storage.folder.catalog import CatalogStore
from retrieval.storage.folder.database import CATALOG_FILE, open_catalog
from retrieval.storage.models import Image, ProductRow, ProductText, Vector

ROWS_AT_ONCE = 5_000
KINDS = ("chair", "lamp", "mug", "vase", "table", "shelf", "bag", "knife", "clock", "bowl")
COLOURS = ("red", "blue", "green", "black", "white", "oak", "walnut", "brass", "grey", "pink")
SHAPES = ("round", "tall", "small", "folding", "stacking", "curved", "slim", "square")


def write_catalog(index: Path, products: int, encoder: Encoder) -> None:
    """Writes `catalog.db` with this many products, a photo and a title each, not yet published."""
    cloud = clip_like(products, queries=1)
    engine = open_catalog(index / CATALOG_FILE)
    store = CatalogStore(engine)
    encoder_id = store.register_encoder(encoder, encoder.name)
    chance = np.random.default_rng(0)
    for start in range(0, products, ROWS_AT_ONCE):
        numbers = range(start, min(start + ROWS_AT_ONCE, products))
        photos = cloud.photos[start : start + len(numbers)]
        # A title lies somewhere about its photo, as texts do.
        moved = photos.astype(np.float32) + 0.05 * chance.standard_normal(photos.shape)
        moved /= np.linalg.norm(moved, axis=1, keepdims=True)
        with engine.begin() as connection:
            for model, rows in _rows(numbers, photos, moved.astype(np.float16), encoder_id):
                connection.execute(insert(model), rows)
    store.activate_encoder(encoder_id)
    engine.dispose()


def _rows(
    numbers: range, photos: Any, texts: Any, encoder_id: int
) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    keys = [f"P-{number:07d}" for number in numbers]
    titles = [_title(number) for number in numbers]
    hashes = {kind: [_hash(f"{kind} {key}") for key in keys] for kind in ("photo", "text", "row")}
    yield (
        ProductRow,
        [
            {
                "id": number + 1,
                "key": key,
                "title": title,
                "description": "",
                "category": KINDS[number % len(KINDS)],
                "brand": f"Brand {number % 97}",
                "price": float(number % 500) + 0.95,
                "attributes": {"colour": COLOURS[number % 7]},
                "row_hash": row_hash,
            }
            for number, key, title, row_hash in zip(
                numbers, keys, titles, hashes["row"], strict=True
            )
        ],
    )
    yield (
        Image,
        [
            {
                "id": number + 1,
                "product_id": number + 1,
                "position": 0,
                "path": f"images/{key}.jpg",
                "content_hash": content,
                "file_hash": content,
                "size": 1,
                "mtime_ns": 1,
                "width": 512,
                "height": 512,
            }
            for number, key, content in zip(numbers, keys, hashes["photo"], strict=True)
        ],
    )
    yield (
        ProductText,
        [
            {
                "id": number + 1,
                "product_id": number + 1,
                "field": "title",
                "content": title,
                "content_hash": content,
            }
            for number, title, content in zip(numbers, titles, hashes["text"], strict=True)
        ],
    )
    for contents, vectors in ((hashes["photo"], photos), (hashes["text"], texts)):
        yield (
            Vector,
            [
                {"encoder_id": encoder_id, "content_hash": content, "data": vector.tobytes()}
                for content, vector in zip(contents, vectors, strict=True)
            ],
        )


def _title(number: int) -> str:
    kind, colour = KINDS[number % len(KINDS)], COLOURS[number // 7 % len(COLOURS)]
    return f"{SHAPES[number // 3 % len(SHAPES)]} {colour} {kind} no. {number}".capitalize()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
