"""What a search can be narrowed down by: right counts, and a way back from every choice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.searching.facets import FACET_DEPTH, Facets, price_ranges
from retrieval.storage.entities import Card


def values_of(facets: Facets, name: str) -> dict[str, int]:
    return next((dict(facet.values) for facet in facets.fields if facet.name == name), {})


def counted(catalog: Any, field: str, **options: Any) -> dict[str, int]:
    """What searching anew and counting by hand gives."""
    hits = catalog.search(limit=FACET_DEPTH, **options)
    shown = (hit.attributes.get(field, getattr(hit, field, None)) for hit in hits)
    counts = Counter(str(value) for value in shown if value)
    return dict(counts) if len(counts) > 1 else {}


@pytest.mark.parametrize(
    "asked",
    [
        {"text": "red mug"},
        {"text": "red mug", "mode": "vector"},
        {"text": "mug", "mode": "lexical"},
        {"like": "P-003"},
        {"text": "blue", "like": "P-003", "limit": 3, "offset": 4},
    ],
)
@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"category": ["mugs"]},
        {"category": ["mugs", "plates"], "colour": ["red"]},
        {"colour": ["red", "blue"], "price": {">=": 12, "<=": 25}},
    ],
)
def test_each_field_is_counted_over_what_the_other_filters_leave(
    catalog: Any, asked: dict[str, Any], chosen: dict[str, Any]
) -> None:
    """Held against a search a field: a count that no click keeps is a lie."""
    facets = catalog.search(**asked, where=chosen, facets=True).facets
    options = {name: value for name, value in asked.items() if name not in ("limit", "offset")}
    for field in ("category", "brand", "colour"):
        others = {name: value for name, value in chosen.items() if name != field}
        assert values_of(facets, field) == counted(catalog, field, where=others, **options), field
    without_price = {name: value for name, value in chosen.items() if name != "price"}
    hits = catalog.search(limit=FACET_DEPTH, where=without_price, **options)
    prices = [hit.price for hit in hits]
    for part in facets.prices:
        low, high = part.low or 0, float("inf") if part.high is None else part.high
        assert sum(low <= price <= high for price in prices) == part.count
    assert not facets.prices or sum(part.count for part in facets.prices) == len(prices)


def test_facets_do_not_depend_on_the_page(catalog: Any) -> None:
    first = catalog.search("mug", limit=5, facets=True)
    later = catalog.search("mug", limit=7, offset=9, facets=True)
    assert first.facets == later.facets and first.facets.fields
    assert [hit.id for hit in first] == [hit.id for hit in catalog.search("mug", limit=5)]


def test_what_was_typed_as_a_condition_is_never_lifted(catalog: Any) -> None:
    """A shop that shows one brand alone must not count those of others."""
    within = catalog.search("mug", within=["colour=red"], where={"category": "mugs"}, facets=True)
    assert values_of(within.facets, "colour") == {}
    assert sum(values_of(within.facets, "category").values()) == 4
    assert within.query["where"] == ["category=mugs", "colour=red"]
    below = catalog.search("mug", where=["price<15"], facets=True)
    assert sum(values_of(below.facets, "category").values()) == below.total == 5


def test_facets_are_counted_where_they_are_asked_for_alone(catalog: Any) -> None:
    answer = catalog.search("mug")
    assert answer.facets is None and "facets" not in answer.as_dict()
    listed = catalog.search("mug", facets=True).as_dict()["facets"]
    assert [entry["field"] for entry in listed] == ["category", "colour", "price"]
    assert listed[0]["values"][0].keys() == {"value", "count"}
    assert listed[-1]["ranges"][0].keys() == {"from", "to", "count"}
    assert Facets.from_list(listed) == catalog.search("mug", facets=True).facets


def test_a_field_that_no_product_has_is_told_as_without_facets(catalog: Any) -> None:
    with pytest.raises(Exception, match="no product has a 'colr'"):
        catalog.search("mug", where={"colr": "red"}, facets=True)


@given(prices=st.lists(st.floats(0, 1e9), max_size=60))
def test_price_ranges_hold_every_price_once(prices: list[float]) -> None:
    rounded = [round(price, 2) for price in prices]
    cards = [
        Card(number, str(number), "", "", None, None, price, {}, (), ())
        for number, price in enumerate(rounded)
    ]
    ranges = price_ranges(cards)
    assert not ranges or sum(part.count for part in ranges) == len(prices)
    for part in ranges:
        low, high = part.low or 0, float("inf") if part.high is None else part.high
        assert sum(low <= price <= high for price in rounded) == part.count > 0
