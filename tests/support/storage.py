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
from retrieval.storage.base import Catalog, Storage
from retrieval.storage.entities import EncoderInfo, Manifest, ProductChange, StoredImage

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


def write(catalog: Catalog, products: Iterable[MadeUp], encoder: EncoderInfo = ENCODER) -> None:
    """Writes a batch as an indexer does, and makes the encoder the one that is published."""
    products = list(products)
    catalog.register_encoder(encoder)
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
    catalog.write(changes, vectors, encoder.fingerprint)
    catalog.activate_encoder(encoder.fingerprint)


def publish_products(
    storage: Storage, products: Sequence[MadeUp], encoder: EncoderInfo = ENCODER, **options: Any
) -> Manifest:
    """Writes products and publishes them; `options` go to `publish`."""
    with storage.writing(create=True) as catalog:
        write(catalog, products, encoder)
        return publish(catalog, Quiet(), **options)
