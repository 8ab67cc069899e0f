"""What a search can be narrowed down by: fields with few values, and ranges of prices."""

from __future__ import annotations

import bisect
import itertools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from retrieval.common.products import PRODUCT_FIELDS
from retrieval.common.text import folded
from retrieval.storage.entities import Card
from retrieval.storage.filters import Filter, leaves, quoted_name

# Counted over so many of the best products, whatever the page.
FACET_DEPTH = 200
FACETS = tuple(field.name for field in PRODUCT_FIELDS if field.facet)
MAX_VALUES = 12
MAX_KINDS = 24
HELD_BY = 0.5
PRICE_RANGES = 4
MIN_PRICED = 8
SMALLEST_COIN = 0.01
PRICE = "price"

# Cards of the best products, in their order, and the primary keys of those that are weak.
Best = tuple[Sequence[Card], frozenset[int]]


@dataclass(frozen=True)
class Facet:
    """A field with the values of the best results, and how many have each.

    Attributes:
        attribute: it is a column of the catalog's own.
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
class Facets:
    """Facets, and ranges of prices, of one search."""

    fields: tuple[Facet, ...] = ()
    prices: tuple[PriceRange, ...] = ()

    def as_list(self) -> list[dict[str, Any]]:
        """As JSON: `[{field, values: [{value, count}]}]`, a number's `{field, ranges: [{from, to,
        count}]}`."""
        listed: list[dict[str, Any]] = [
            {
                "field": facet.name,
                "values": [{"value": value, "count": count} for value, count in facet.values],
            }
            for facet in self.fields
        ]
        if self.prices:
            ranges = [
                {"from": part.low, "to": part.high, "count": part.count} for part in self.prices
            ]
            listed.append({"field": PRICE, "ranges": ranges})
        return listed

    @classmethod
    def from_list(cls, listed: Sequence[dict[str, Any]]) -> Facets:
        """What `as_list` gave."""
        fields = tuple(
            Facet(
                entry["field"],
                tuple((value["value"], value["count"]) for value in entry["values"]),
                entry["field"] not in FACETS,
            )
            for entry in listed
            if "values" in entry
        )
        prices = tuple(
            PriceRange(part["from"], part["to"], part["count"])
            for entry in listed
            for part in entry.get("ranges", ())
        )
        return cls(fields, prices)


def count_facets(
    where: Sequence[Filter], best: Best, without: Callable[[tuple[Filter, ...]], Best]
) -> Facets:
    """Each field counted over what all the other filters leave.

    So the values beside a chosen one stay to be seen, and those of other fields fit with it.

    Args:
        where: the filters that may be lifted.
        best: what the search finds as it is asked, at most FACET_DEPTH.
        without: what it finds with these of the filters alone.
    """
    cards, weak = best
    facets = {facet.name: facet for facet in facets_of(cards, weak)}
    prices = price_ranges(cards)
    for name in dict.fromkeys(_field(condition) for condition in where if _is_chosen(condition)):
        kept = tuple(
            condition
            for condition in where
            if _field(condition) != name or not _is_chosen(condition)
        )
        wider, wider_weak = without(kept)
        if name == PRICE:
            prices = price_ranges(wider)
        else:
            facets |= {
                facet.name: facet
                for facet in facets_of(wider, wider_weak)
                if folded(facet.name) == name
            }
    # In one order always, whichever was counted anew.
    ordered = sorted(facets.values(), key=lambda facet: (facet.attribute, _place(facet.name)))
    return Facets(tuple(ordered), tuple(prices))


def _field(condition: Filter) -> str:
    return condition.name


def _is_chosen(condition: Filter) -> bool:
    """Whether it is a condition that choosing a facet's value, or a range of prices, makes."""
    chosen = (">=", "<=") if _field(condition) == PRICE else ("=",)
    return condition.operator in chosen


def _place(name: str) -> int:
    return FACETS.index(name) if name in FACETS else len(FACETS)


def facets_of(cards: Sequence[Card], weak: frozenset[int] = frozenset()) -> list[Facet]:
    """Counted over these products; fields that tell nothing apart are left out.

    Values of clear matches come first: who asks for a bottle does not look for the many toys that
    are weak matches.
    """
    facets = []
    for name in FACETS:
        values = [(card, value) for card in cards if (value := getattr(card, name))]
        facet = _facet(name, values, weak, attribute=False)
        if len({value for _, value in values}) > 1:
            facets.append(facet)
    names = Counter(name for card in cards for name in card.attributes if quoted_name(name) == name)
    for name, held in names.items():
        values = [
            (card, str(leaf))
            for card in cards
            if name in card.attributes
            for path, leaf in leaves(name, card.attributes[name])
            if path == name and leaf is not None
        ]
        # One value a product, as a size or a number is, leads nowhere.
        if held >= HELD_BY * len(cards) and 1 < len({value for _, value in values}) <= MAX_KINDS:
            facets.append(_facet(name, values, weak, attribute=True))
    return facets


def _facet(
    name: str, values: Sequence[tuple[Card, str]], weak: frozenset[int], *, attribute: bool
) -> Facet:
    counts = Counter(value for _, value in values)
    clear = Counter(value for card, value in values if card.id not in weak)
    ordered = sorted(counts.items(), key=lambda item: (-clear[item[0]], -item[1], item[0]))
    return Facet(name, tuple(ordered[:MAX_VALUES]), attribute)


def price_ranges(cards: Sequence[Card]) -> list[PriceRange]:
    """The prices of these in up to PRICE_RANGES parts of about as many, between round sums."""
    prices = sorted(card.price for card in cards if card.price is not None)
    if len(prices) < MIN_PRICED:
        return []
    places = [round(len(prices) * part / PRICE_RANGES) for part in range(1, PRICE_RANGES)]
    edges = sorted({_round_sum(prices[place]) for place in places})
    bounds = [None, *(edge for edge in edges if prices[0] < edge <= prices[-1]), None]
    ranges = []
    for low, high in itertools.pairwise(bounds):
        first = 0 if low is None else bisect.bisect_left(prices, low)
        last = len(prices) if high is None else bisect.bisect_left(prices, high)
        if last > first:
            # Bounds are inclusive: what costs 50 belongs to `from 50` alone.
            under = None if high is None else round(high - SMALLEST_COIN, 2)
            ranges.append(PriceRange(low, under, last - first))
    return ranges if len(ranges) > 1 else []


def _round_sum(price: float) -> float:
    """To one and a half digits: 5, 10, 15, 20, ... 95, 100, 150."""
    if price <= 0:
        return 0.0
    unit = 10.0 ** math.floor(math.log10(price)) / 2
    return round(round(price / unit) * unit, 2)
