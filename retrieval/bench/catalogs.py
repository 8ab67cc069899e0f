"""Catalogs of any size without photos: rows and vectors as if they had been indexed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from retrieval.bench.synthetic import clip_like
from retrieval.common.products import ProductRecord
from retrieval.common.text import text_hash
from retrieval.common.vectors import Vectors
from retrieval.encoders import Encoder
from retrieval.indexing.indexer import encoder_info
from retrieval.settings import Settings
from retrieval.storage import open_storage
from retrieval.storage.entities import ProductChange, StoredImage

ROWS_AT_ONCE = 5_000
KINDS = ("chair", "lamp", "mug", "vase", "table", "shelf", "bag", "knife", "clock", "bowl")
COLOURS = ("red", "blue", "green", "black", "white", "oak", "walnut", "brass", "grey", "pink")
SHAPES = ("round", "tall", "small", "folding", "stacking", "curved", "slim", "square")


def write_catalog(settings: Settings, products: int, encoder: Encoder) -> None:
    """Fills the index of the settings with this many products, a photo and a title each, as if
    the encoder had seen them; not yet published."""
    cloud = clip_like(products, queries=1)
    chance = np.random.default_rng(0)
    storage = open_storage(settings.index, settings)
    with storage.writing(create=True) as catalog:
        catalog.register_encoder(encoder_info(encoder, storage.base))
        for start in range(0, products, ROWS_AT_ONCE):
            numbers = range(start, min(start + ROWS_AT_ONCE, products))
            photos = cloud.photos[start : start + len(numbers)]
            # A title lies somewhere about its photo, as texts do.
            moved = photos.astype(np.float32) + 0.05 * chance.standard_normal(photos.shape)
            moved /= np.linalg.norm(moved, axis=1, keepdims=True)
            changes = [_product(number, settings.index) for number in numbers]
            vectors: dict[str, Vectors] = {}
            for change, photo, text in zip(changes, photos, moved, strict=True):
                vectors[change.images[0].content_hash] = photo
                vectors[text_hash(change.record.title)] = text
            catalog.write(changes, vectors, encoder.fingerprint)
        catalog.activate_encoder(encoder.fingerprint)


def _product(number: int, base: Path) -> ProductChange:
    key = f"P-{number:07d}"
    content = _hash(f"photo {key}")
    record = ProductRecord(
        key=key,
        title=_title(number),
        description="",
        category=KINDS[number % len(KINDS)],
        brand=f"Brand {number % 97}",
        price=float(number % 500) + 0.95,
        # A number beside the colour: values of words alone would be a text of their own.
        attributes={"colour": f"{COLOURS[number % 7]} {number % 7}"},
        images=(f"images/{key}.jpg",),
        base=base,
        row_hash=_hash(f"row {key}"),
    )
    image = StoredImage(record.images[0], content, content, 1, 1, 512, 512, has_vector=True)
    return ProductChange(record, (image,), stored=None, visible=True)


def _title(number: int) -> str:
    kind, colour = KINDS[number % len(KINDS)], COLOURS[number // 7 % len(COLOURS)]
    return f"{SHAPES[number // 3 % len(SHAPES)]} {colour} {kind} no. {number}".capitalize()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
