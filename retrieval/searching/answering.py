"""One query on one generation: filter, encode, rank, present, count."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from retrieval.common.text import folded
from retrieval.errors import QueryError
from retrieval.searching.encoding import composed_vectors, liked_products, query_parts
from retrieval.searching.facets import FACET_DEPTH, Best, count_facets
from retrieval.searching.presenting import present, weak_products
from retrieval.searching.query import Query
from retrieval.searching.query_encoder import QueryEncoder
from retrieval.searching.ranking import Ranked, rank
from retrieval.searching.results import Hit, SearchResult
from retrieval.searching.timing import Stages
from retrieval.storage.base import Condition, Generation
from retrieval.storage.filters import Filter


def answer(
    query: Query,
    generation: Generation,
    encoder: QueryEncoder,
    photo_path: Callable[[str], str],
) -> SearchResult:
    """The page of results that a query asks for; see `Searcher.search` for what it raises."""
    started = time.perf_counter()
    stages = Stages()
    with stages("catalog"):
        condition = allowed(query, generation)
    parts = query_parts(query, generation, encoder, stages)
    composed = composed_vectors(query, parts, generation)
    needed = query.offset + query.limit
    if query.facets:
        needed = max(needed, FACET_DEPTH)
    ranked = rank(query, composed, generation, condition, needed, stages)
    hits = present(query, ranked, parts, composed, generation, photo_path, stages)

    def best_of(ranked: Ranked, query: Query, hits: Sequence[Hit] = ()) -> Best:
        """The best FACET_DEPTH; `hits` tell which are weak where they are as many."""
        products = ranked.products[:FACET_DEPTH].tolist()
        cards = generation.cards(products)
        listed = [cards[product] for product in products]
        if query.offset == 0 and len(hits) >= len(products):
            marked = zip(products, hits, strict=False)
            return listed, frozenset(product for product, hit in marked if hit.weak)
        return listed, weak_products(query, listed, ranked.marks, parts, composed, generation)

    def without(filters: tuple[Filter, ...]) -> Best:
        wider = replace(query, where=filters)
        condition = allowed(wider, generation)
        ranked = rank(wider, composed, generation, condition, FACET_DEPTH, stages)
        return best_of(ranked, wider)

    facets = None
    if query.facets:
        facets = count_facets(query.where, best_of(ranked, query, hits), without)
    return SearchResult(
        query=query.as_dict(),
        mode=query.mode,
        took_ms=round((time.perf_counter() - started) * 1000, 2),
        stages_ms={name: round(took, 2) for name, took in stages.took_ms.items()},
        total=ranked.total,
        generation=generation.manifest.generation,
        results=hits,
        facets=facets,
    )


def allowed(query: Query, generation: Generation) -> Condition | None:
    """What a query may find: all but the products that it names itself, as far as its filters go.

    Raises:
        QueryError: a filter is on a field that no product has.
        NotFound: there is no product of an id that it names.
    """
    condition = generation.condition(query.filters)
    # Of what is kept out, or has no value, an unknown column would let everything through.
    lets_through = any(part.operator == "!=" or not part.value for part in query.filters)
    if condition is not None and (lets_through or not generation.count(condition)):
        _check_fields(query, generation)
    named = liked_products((*query.like, *query.unlike), generation)
    return generation.condition(query.filters, without=named)


def _check_fields(query: Query, generation: Generation) -> None:
    """A filter on a column that no product has is a slip, and not an empty shelf."""
    known = generation.field_names()
    names = {folded(name) for name in known}
    for condition in query.filters:
        if condition.name not in names:
            listed = ", ".join(known[:20])
            raise QueryError(f"no product has a {condition.field!r}; filter by: {listed}")
