"""What a search can be narrowed down by: fields with few values, and ranges of prices."""

from __future__ import annotations

import bisect
import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from retrieval.common.products import PRODUCT_FIELDS
from retrieval.searching.results import Hit
from web.search_params import FACET_DEPTH, SearchParams, search
from web.site import Site

FACETS = tuple(field.name for field in PRODUCT_FIELDS if field.facet)
MAX_VALUES = 12
MAX_KINDS = 24
HELD_BY = 0.5
PRICE_RANGES = 4
MIN_PRICED = 8
SMALLEST_COIN = 0.01


@dataclass(frozen=True)
class Facet:
    """A field with the values of the best results, and how many have each.

    Attributes:
        attribute: it is a column of the catalog's own, asked for as `attribute=NAME=VALUE`.
    """

    name: str
    values: tuple[tuple[str, int], ...]
    attribute: bool = False


@dataclass(frozen=True)
class PriceRange:
    """From `low` to `high`, both included; None is without a bound."""

    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True)
class Counted:
    """Facets, and ranges of prices, of one search."""

    facets: list[Facet]
    prices: list[PriceRange]


def count_facets(
    site: Site, asked: SearchParams, photos: Sequence[bytes], best: Sequence[Hit]
) -> Counted:
    """Each field counted over what all the other filters leave.

    So the values beside a chosen one stay to be seen, and those of other fields fit with it.

    Args:
        best: the hits of the search as it is asked, at most FACET_DEPTH.
    """
    facets = {facet.name: facet for facet in facets_of(best)}
    prices = price_ranges(best)
    for name, freed in _chosen(asked):
        wider = search(site, asked.model_copy(update=freed), photos, limit=FACET_DEPTH, offset=0)
        if name == "price":
            prices = price_ranges(wider)
        else:
            facets |= {facet.name: facet for facet in facets_of(wider) if facet.name == name}
    # In one order always, whichever was counted anew.
    ordered = sorted(facets.values(), key=lambda facet: (facet.attribute, _place(facet.name)))
    return Counted(ordered, prices)


def _place(name: str) -> int:
    return FACETS.index(name) if name in FACETS else len(FACETS)


def _chosen(asked: SearchParams) -> list[tuple[str, dict[str, Any]]]:
    """Fields that are filtered by, each with what frees the search of its filter."""
    found: list[tuple[str, dict[str, Any]]] = [
        (name, {name: []}) for name in FACETS if any(getattr(asked, name))
    ]
    for name in dict.fromkeys(one.partition("=")[0] for one in asked.attribute if one):
        others = [one for one in asked.attribute if one.partition("=")[0] != name]
        found.append((name, {"attribute": others}))
    if asked.min_price is not None or asked.max_price is not None:
        found.append(("price", {"min_price": None, "max_price": None}))
    return found


def facets_of(hits: Sequence[Hit]) -> list[Facet]:
    """Counted over the hits given; fields that tell nothing apart are left out.

    Values of clear matches come first: who asks for a bottle does not look for the many toys that
    are weak matches.
    """
    found = []
    for name in FACETS:
        counts = Counter(getattr(hit, name) for hit in hits if getattr(hit, name))
        clear = Counter(getattr(hit, name) for hit in hits if not hit.weak)
        if len(counts) > 1:
            found.append(Facet(name, _first_values(counts, clear)))
    names = Counter(name for hit in hits for name in hit.attributes if "=" not in name)
    for name, held in names.items():
        counts = Counter(str(hit.attributes[name]) for hit in hits if name in hit.attributes)
        # One value a product, as a size or a number is, leads nowhere.
        if held >= HELD_BY * len(hits) and 1 < len(counts) <= MAX_KINDS:
            clear = Counter(
                str(hit.attributes[name]) for hit in hits if name in hit.attributes and not hit.weak
            )
            found.append(Facet(name, _first_values(counts, clear), attribute=True))
    return found


def _first_values(counts: Counter[str], clear: Counter[str]) -> tuple[tuple[str, int], ...]:
    ordered = sorted(counts.items(), key=lambda item: (-clear[item[0]], -item[1], item[0]))
    return tuple(ordered[:MAX_VALUES])


def price_ranges(hits: Sequence[Hit]) -> list[PriceRange]:
    """The prices of the hits in up to PRICE_RANGES parts of about as many, between round sums."""
    prices = sorted(hit.price for hit in hits if hit.price is not None)
    if len(prices) < MIN_PRICED:
        return []
    places = [round(len(prices) * part / PRICE_RANGES) for part in range(1, PRICE_RANGES)]
    edges = sorted({_round_sum(prices[place]) for place in places})
    bounds = [None, *(edge for edge in edges if prices[0] < edge <= prices[-1]), None]
    found = []
    for low, high in itertools.pairwise(bounds):
        first = 0 if low is None else bisect.bisect_left(prices, low)
        last = len(prices) if high is None else bisect.bisect_left(prices, high)
        if last > first:
            # Bounds are inclusive: what costs 50 belongs to `from 50` alone.
            under = None if high is None else round(high - SMALLEST_COIN, 2)
            found.append(PriceRange(low, under, last - first))
    return found if len(found) > 1 else []


def _round_sum(price: float) -> float:
    """To one and a half digits: 5, 10, 15, 20, ... 95, 100, 150."""
    if price <= 0:
        return 0.0
    unit = 10.0 ** math.floor(math.log10(price)) / 2
    return round(round(price / unit) * unit, 2)
