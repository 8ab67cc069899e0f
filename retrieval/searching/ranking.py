"""Vectors, words and filters of a query -> products, best first, and why each is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from retrieval.common.vectors import Vectors
from retrieval.searching.encoding import SAMPLE_ROWS, spread
from retrieval.searching.fusion import (
    POOL,
    RankedList,
    by_spread,
    by_words,
    extended,
    fuse,
    nothing,
)
from retrieval.searching.lexical import most_bm25, query_words, telling_words
from retrieval.searching.query import Query
from retrieval.searching.timing import Stages
from retrieval.storage.base import DECIMALS, Condition, Generation
from retrieval.storage.entities import Ids, Modality, Scores

# Beside one spread of the cosines of a gallery: what being all about the words counts, and what
# having every word does. Chosen on 150 paraphrases and 100 attribute queries of the samples.
LIST_WEIGHTS = {"images": 0.5, "texts": 1.0, "words": 8.0, "every word": 0.5}
# With a photo or a likeness, words only move what is near it already. Chosen on photos of samples
# that are asked for in the colour or the material of another of their family.
NEAR = 50
NEAR_WEIGHTS = {"images": 1.0, "texts": 0.5, "words": 1.0, "every word": 1.0}


@dataclass(frozen=True)
class Marks:
    """What presenting must know of how products were found.

    Attributes:
        by_id: the product whose id was typed.
        every_word: products that have every word that was asked for.
    """

    by_id: int | None = None
    every_word: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Ranked:
    """Products, best first: at least as many as were needed where there are as many.

    Attributes:
        products, scores: (n,) each.
        total: how many the pages hold altogether.
    """

    products: Ids
    scores: Scores
    total: int
    marks: Marks


def rank(
    query: Query,
    composed: Mapping[Modality, Vectors],
    generation: Generation,
    condition: Condition | None,
    needed: int,
    stages: Stages,
) -> Ranked:
    """The products that a query finds, at least `needed` where there are as many.

    Equal scores stand in the order of product ids. A longer list begins with a shorter one.
    """
    words, complete = _by_bm25(query, generation, condition, stages)
    every_word = frozenset(words.products[:complete].tolist())
    if query.mode == "lexical":
        scores = np.round((words.scores + (np.arange(len(words)) < complete)) / 2, DECIMALS)
        by_id = _typed_product(query, generation, condition)
        ranked = _first(by_id, replace(words, scores=scores))
        return _marked(ranked, len(ranked), by_id, every_word)
    searched = list(composed)
    total = generation.count(condition, with_any_of=searched, or_among=words.products)

    def nearest(modality: Modality, depth: int) -> RankedList:
        with stages("search"):
            return nearest_products(generation, modality, composed[modality], depth, condition)

    if len(searched) == 1 and not len(words):
        return _marked(nearest(searched[0], needed), total, None, every_word)
    lists: dict[str, RankedList] = {}
    for modality in searched:
        sample = generation.sample_vectors(modality, SAMPLE_ROWS)
        lists[modality] = by_spread(nearest(modality, POOL), spread(composed[modality], sample))
    by_photo = lists and (query.images or query.like)
    near = next(iter(lists.values())).products[:NEAR] if by_photo else None
    by_id = _typed_product(query, generation, condition)
    ranked = fuse({**lists, **by_words(words, complete, near)}, _list_weights(query))
    ranked = _first(by_id, ranked)
    for modality in searched:
        if needed > len(ranked):
            ranked = extended(ranked, nearest(modality, needed), needed)
    return _marked(ranked, total, by_id, every_word)


def _marked(
    ranked: RankedList, total: int, by_id: int | None, every_word: frozenset[int]
) -> Ranked:
    if by_id is not None:
        every_word |= {by_id}
    return Ranked(ranked.products, ranked.scores, total, Marks(by_id, every_word))


def nearest_products(
    generation: Generation,
    modality: Modality,
    vector: Vectors,
    depth: int,
    condition: Condition | None,
) -> RankedList:
    """Products by their best row in the gallery, at least `depth`, or all; scores are cosines."""
    rows = 2 * depth
    while True:
        matches = generation.nearest(modality, vector, rows, condition)
        _, first = np.unique(matches.products, return_index=True)
        if len(first) >= depth or matches.complete:
            break
        rows *= 4
    best = np.sort(first)
    # What an approximate index missed at first comes where it is found: no score rises on the way.
    scores = np.minimum.accumulate(matches.scores[best])
    return RankedList(matches.products[best], scores, matches.order[best])


def _list_weights(query: Query) -> dict[str, float]:
    """Words count as much, beside vectors, as the text does beside photos and likenesses."""
    others = {"image": query.images, "like": query.like}
    beside = [query.weights[kind] for kind, parts in others.items() if parts]
    share = query.weights["text"] / max([query.weights["text"], *beside])
    weights = NEAR_WEIGHTS if query.images or query.like else LIST_WEIGHTS
    return {name: weight * share if "word" in name else weight for name, weight in weights.items()}


def _by_bm25(
    query: Query, generation: Generation, condition: Condition | None, stages: Stages
) -> tuple[RankedList, int]:
    """Products by BM25, 0 to 1, first those with every word, then those with any; and how many
    have every word."""
    if query.mode == "vector" or not query.texts or not query.weights["text"]:
        return nothing(), 0
    words = query_words(query.text)
    # A filter comes after, and pages of words alone may go to the end: then all are needed.
    limit = 2 * POOL if query.mode == "hybrid" and condition is None else None

    def matching(wanted: Sequence[str], *, every: bool) -> RankedList:
        with stages("catalog"):
            matches = generation.lexical(
                wanted, every=every, without=query.minus, condition=condition, limit=limit
            )
        return RankedList(matches.products, matches.scores, matches.order)

    with stages("catalog"):
        frequency = generation.document_frequency(words)
    ranked = matching(words, every=True)
    complete = len(ranked)
    if query.mode == "lexical" or complete < POOL:
        telling = words if query.mode == "lexical" else telling_words(words, frequency)
        some = matching(telling, every=False)
        some = some.only(~np.isin(some.products, ranked.products))
        ranked = RankedList(
            np.concatenate([ranked.products, some.products]),
            np.concatenate([ranked.scores, some.scores]),
            np.concatenate([ranked.order, some.order]),
        )
    most = most_bm25(words, frequency, generation.manifest.products)
    return replace(ranked, scores=(ranked.scores / most).clip(0, 1)), complete


def _typed_product(query: Query, generation: Generation, condition: Condition | None) -> int | None:
    """A query that is the id of a product means that product, where it may be found."""
    product = generation.typed_id(query.text)
    if product is None or not generation.allows(condition, np.array([product]))[0]:
        return None
    return product


def _first(product: int | None, ranked: RankedList) -> RankedList:
    """With a product before all others, and as good as can be."""
    if product is None:
        return ranked
    others = ranked.only(ranked.products != product)
    return RankedList(
        np.concatenate([[product], others.products]),
        np.concatenate([[1.0], others.scores]),
        # From here on nothing is sorted any more.
        np.arange(len(others) + 1),
    )
