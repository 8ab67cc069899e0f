"""A query -> its parts as vectors, and one vector of them for each gallery that is searched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from retrieval.common.vectors import Vectors, normalise
from retrieval.errors import NotFound, QueryError
from retrieval.searching.query import Query
from retrieval.searching.query_encoder import QueryEncoder
from retrieval.searching.timing import Stages
from retrieval.storage.base import Generation
from retrieval.storage.entities import Ids, Manifest, Modality

# "This lamp, but in brass": the photo says what it is, the words what is to be different.
TEXT_BESIDE_PHOTO = 0.5
SAMPLE_ROWS = 1_024


@dataclass(frozen=True)
class Part:
    """One part of a query: a unit vector (d,), its kind (`text` or `image`), its weight.

    A negative weight pushes away.
    """

    kind: str
    vector: Vectors
    weight: float


def liked_products(keys: Sequence[str], generation: Generation) -> Ids:
    """(n,) primary keys; raises NotFound where there is no such product."""
    products = generation.product_ids(keys)
    for key, product in zip(keys, products, strict=True):
        if product < 0:
            raise NotFound(f"there is no product {key!r} to be like")
    return products


def query_parts(
    query: Query, generation: Generation, encoder: QueryEncoder, stages: Stages
) -> list[Part]:
    """The parts of a query; none in lexical mode. The model is loaded where one needs it.

    Raises:
        QueryError: every part has weight 0.
        ImageError, IndexMismatch, EncoderError: see `retrieval.searching.searcher.Searcher.search`.
    """
    if query.mode == "lexical":
        return []
    weights = query.weights
    parts = [_liked(key, weights["like"], generation) for key in query.like]
    away = weights["minus"] / max(1, len(query.unlike))
    parts += [_liked(key, -away, generation) for key in query.unlike]
    if query.texts or query.images or query.minus:
        model = encoder.of(generation)
        with stages("decode"):
            inputs = [encoder.read_photo(photo, model) for photo in query.images]
        with stages("encode"):
            photos = model.encode_images(inputs)
            words = model.encode_texts([*query.texts, *query.minus])
        parts += _weighted("image", photos, weights["image"])
        parts += _weighted("text", words[: len(query.texts)], weights["text"])
        parts += _weighted("text", words[len(query.texts) :], -weights["minus"])
    parts = [part for part in parts if part.weight]
    if not any(part.weight > 0 for part in parts):
        raise QueryError("every part of the query has weight 0; give one of them some")
    return parts


def _weighted(kind: str, vectors: Vectors, weight: float) -> list[Part]:
    return [Part(kind, vector, weight / len(vectors)) for vector in vectors]


def _liked(key: str, weight: float, generation: Generation) -> Part:
    """The mean of a product's photos, or of its texts where it has none."""
    product = liked_products([key], generation)
    rows, kind = generation.rows_of("images", product), "image"
    if not len(rows):
        rows, kind = generation.rows_of("texts", product), "text"
    return Part(kind, normalise(rows.vectors.mean(axis=0)), weight)


def searched_modalities(query: Query, parts: Sequence[Part], manifest: Manifest) -> list[Modality]:
    """Which vectors are searched. A photo alone is held against photos only: what a model sees in
    common between a photo and words is too coarse to order them by."""
    if not parts:
        return []
    searched: list[Modality]
    if query.scope != "products":
        searched = [query.scope]
    elif any(part.kind == "text" and part.weight > 0 for part in parts):
        searched = ["images", "texts"]
    else:
        searched = ["images"]
    return [modality for modality in searched if manifest.galleries[modality].vectors]


def composed_vectors(
    query: Query, parts: Sequence[Part], generation: Generation
) -> Mapping[Modality, Vectors]:
    """One vector (d,) for each modality that is searched."""
    return {
        modality: compose(parts, generation.sample_vectors(modality, SAMPLE_ROWS))
        for modality in searched_modalities(query, parts, generation.manifest)
    }


def spread(vector: Vectors, sample: Vectors) -> float:
    """The standard deviation of a vector's cosines over a sample (m, d) of a gallery; never 0."""
    # Row by row: a product of matrices this small would wake all cores for it.
    return max(1e-3, float(np.vecdot(sample, vector).std())) if len(sample) > 1 else 1.0


def compose(parts: Sequence[Part], sample: Vectors) -> Vectors:
    """One unit vector (d,) that scores a gallery by the weighted sum of all parts.

    Each part's cosines are first brought to unit spread over a sample (m, d) of the gallery: those
    of a text vary less than those of a photo, and would drown in a plain sum. As this only scales
    the parts, their sum is again one vector, and one search finds it. Beside a photo a text counts
    TEXT_BESIDE_PHOTO as much, at equal weights.
    """
    if len(parts) == 1 and parts[0].weight > 0:
        return parts[0].vector
    with_photo = any(part.kind == "image" and part.weight > 0 for part in parts)
    total = np.zeros_like(parts[0].vector)
    for part in parts:
        share = TEXT_BESIDE_PHOTO if with_photo and part.kind == "text" else 1.0
        total += share * part.weight / spread(part.vector, sample) * part.vector
    return normalise(total)
