"""Made-up products with vectors of their own, written through the interface of storage alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.common.products import ProductRecord
from retrieval.common.progress import Quiet
from retrieval.common.text import text_hash
from retrieval.common.vectors import Vectors, normalise
from retrieval.indexing.publishing import publish
from retrieval.storage.base import Catalog, Generation, Storage
from retrieval.storage.entities import (
    CatalogMap,
    EncoderInfo,
    Manifest,
    ProductChange,
    StoredImage,
)

DIM = 16
ENCODER = EncoderInfo(
    "f" * 16, "made-up", DIM, {"preprocess": {"fit": "letterbox", "size": 64}, "weights": "none"}
)


@dataclass
class MadeUp:
    """A product, and the vectors of its photos by name; those that are not given are drawn."""

    key: str
    title: str = ""
    description: str = ""
    category: str | None = None
    brand: str | None = None
    price: float | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    photos: Mapping[str, Any] = field(default_factory=dict)
    texts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def record(self) -> ProductRecord:
        return ProductRecord(
            key=self.key,
            base=Path("made-up"),
            title=self.title,
            description=self.description,
            category=self.category,
            brand=self.brand,
            price=self.price,
            attributes=dict(self.attributes),
            images=tuple(self.photos),
        )


def drawn(name: str, dim: int = DIM) -> Vectors:
    """A vector (dim,) of length 1 that is the same for the same name."""
    seed = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    return normalise(np.random.default_rng(seed).standard_normal(dim))


def photo_hash(name: str) -> str:
    return hashlib.sha256(f"photo {name}".encode()).hexdigest()


def quarters(name: str) -> Vectors:
    """A vector (DIM,) of length 1 whose products with others of its kind are exact, in whatever
    order they are summed; many of them are equal."""
    seed = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    signs = np.random.default_rng(seed).integers(0, 2, DIM) * 2 - 1
    return np.asarray(signs / np.sqrt(DIM), dtype=np.float32)


def changes_of(
    catalog: Catalog, products: Sequence[MadeUp], encoder: EncoderInfo = ENCODER
) -> tuple[list[ProductChange], dict[str, Vectors]]:
    """What an indexer hands to `Catalog.write`; the encoder need not be registered."""
    stored = catalog.stored([product.key for product in products], encoder.fingerprint)
    changes: list[ProductChange] = []
    vectors: dict[str, Vectors] = {}
    for product in products:
        images = []
        for name, vector in product.photos.items():
            content = photo_hash(name)
            images.append(StoredImage(name, content, content, 1, 1, 64, 64, has_vector=True))
            made = drawn(name, encoder.dim) if vector is None else np.asarray(vector)
            vectors[content] = np.asarray(made, dtype=np.float32)
        for _, content in product.record.texts:
            given = product.texts.get(content)
            made = drawn(content, encoder.dim) if given is None else np.asarray(given)
            vectors[text_hash(content)] = np.asarray(made, dtype=np.float32)
        known = stored.get(product.key)
        changes.append(ProductChange(product.record, tuple(images), known, visible=True))
    return changes, vectors


def write(catalog: Catalog, products: Iterable[MadeUp], encoder: EncoderInfo = ENCODER) -> None:
    """Writes a batch as an indexer does, and makes the encoder the one that is published."""
    catalog.register_encoder(encoder)
    changes, vectors = changes_of(catalog, list(products), encoder)
    catalog.write(changes, vectors, encoder.fingerprint)
    catalog.activate_encoder(encoder.fingerprint)


def publish_products(
    storage: Storage, products: Sequence[MadeUp], encoder: EncoderInfo = ENCODER, **options: Any
) -> Manifest:
    """Writes products and publishes them; `options` go to `publish`."""
    with storage.writing(create=True) as catalog:
        write(catalog, products, encoder)
        return publish(catalog, Quiet(), **options)


def map_of(ids: Iterable[int] = ()) -> CatalogMap:
    """A map on which products lie as their primary keys say."""
    numbers = np.array(list(ids), dtype=np.int64)
    places = np.stack([numbers % 7 / 7, numbers % 11 / 11], axis=1)
    return CatalogMap(numbers, places.astype(np.float32))


def make_live(
    storage: Storage,
    products: Iterable[MadeUp] = (),
    encoder: EncoderInfo = ENCODER,
    *,
    index_type: str | None = None,
    extras: Mapping[str, bytes] | None = None,
) -> Generation:
    """Writes products and makes them live, without what is measured on a draft: in a moment."""
    with storage.writing(create=True) as catalog:
        write(catalog, products, encoder)
        with catalog.draft(Quiet(), index_type) as draft:
            draft.publish({}, map_of(), extras)
    return storage.current()
