"""Filters and words, as SQL: nothing that is typed is ever more than a value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from retrieval.errors import QueryError
from retrieval.searching.lexical import query_words
from retrieval.storage.filters import filters_from, parse_filter
from retrieval.storage.folder.database import CATALOG_FILE, open_catalog
from retrieval.storage.folder.fts5 import match_expression
from retrieval.storage.folder.snapshot import Snapshot
from retrieval.storage.folder.snapshot_writing import write_snapshot
from retrieval.storage.models import ProductRow

PRODUCTS: list[dict[str, Any]] = [
    {"key": "A", "title": "Oak chair", "category": "Chairs", "brand": "Acme", "price": 99.5,
     "attributes": {"colour": "Red", "weight": "7.5", "new": True, 'odd "name"': "x"}},
    {"key": "B", "title": "Walnut chair", "category": "Chairs/Dining", "brand": None,
     "price": None, "attributes": {"colour": "blue", "weight": "12 kg", "ages": "12-14"}},
    {"key": "C", "title": "Café table, größer", "category": "Tables", "brand": "acme",
     "price": 250.0, "attributes": {"weight": 30, "new": False, "Größe": "GROß"}},
    {"key": "SKU-10/2 b", "title": "Lamp", "category": None, "brand": "O'Neil", "price": 0.0,
     "attributes": {}},
]  # fmt: skip


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    folder = tmp_path_factory.mktemp("catalog")
    engine = open_catalog(folder / CATALOG_FILE)
    with engine.begin() as connection:
        for number, product in enumerate(PRODUCTS):
            row = {"description": f"number {number}", "row_hash": "", **product}
            connection.execute(insert(ProductRow).values(**row))
    engine.dispose()
    write_snapshot(folder / CATALOG_FILE, folder / "odd name?#%.db")
    return Snapshot(folder / "odd name?#%.db")


def found(snapshot: Snapshot, where: Any) -> str:
    mask = snapshot.matching(filters_from(where))
    keys = {card.id: card.key for card in snapshot.cards(snapshot.product_ids.tolist()).values()}
    return " ".join(keys[i][0] for i in snapshot.product_ids[mask].tolist())


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (["category=chairs"], "A B"),
        (["category=Chairs/Dining"], "B"),
        (["category=Chair"], ""),
        (["brand=ACME"], "A C"),
        (["brand=O'Neil"], "S"),
        (["brand!=acme"], "B S"),
        (["price<100"], "A S"),
        (["price<=99.5"], "A S"),
        (["price>=0", "price<1"], "S"),
        (["price=250"], "C"),
        (["colour=red"], "A"),
        (["colour=red", "colour=blue"], "A B"),
        (["colour=red", "brand=nobody"], ""),
        (["weight<10"], "A"),
        (["weight>10"], "C"),
        (["ages<13"], ""),
        (["weight=7.50"], "A"),
        (["weight=12 kg"], "B"),
        (["new=true"], "A"),
        (["new=false"], "C"),
        (['odd "name"=x'], "A"),
        (["nothing=x"], ""),
        (["Größe=groß"], "C"),
        (["nothing!=x"], "A B C S"),
        (["id=SKU-10/2 b"], "S"),
        ({"category": "Chairs", "price": {"<": 100}}, "A"),
        ({"category": ["Tables", "Chairs/Dining"]}, "B C"),
        ({"new": True}, "A"),
        (["Category=chairs", "COLOUR=red"], "A"),
        ("price<1", "S"),
        ({"brand": {"Acme", "O'Neil"}}, "A C S"),
        ({"price": {">": 1, "<": 300}}, "A C"),
    ],
)
def test_filters(snapshot: Snapshot, where: Any, expected: str) -> None:
    assert found(snapshot, where) == expected


@pytest.mark.parametrize(
    "expression", ["", "category", "=x", "price=cheap", "price<abc", "weight<heavy", "price<nan"]
)
def test_filters_that_make_no_sense_are_told(expression: str) -> None:
    with pytest.raises(QueryError):
        parse_filter(expression)
    with pytest.raises(QueryError, match="operator"):
        filters_from({"price": {"~": 1}})
    with pytest.raises(QueryError, match="no value"):
        filters_from({"category": []})


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(field=st.text(min_size=1, max_size=20), value=st.text(max_size=20))
def test_no_name_or_value_is_ever_sql(snapshot: Snapshot, field: str, value: str) -> None:
    try:
        filters = filters_from({field: value})
    except QueryError:
        return
    assert snapshot.matching(filters).sum() <= len(PRODUCTS)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_nothing_typed_is_ever_full_text_syntax(snapshot: Snapshot, typed: str) -> None:
    for every in (True, False):
        expression = match_expression(query_words(typed), (typed,), every=every)
        if expression is not None:
            snapshot.lexical(expression, 10)


def words(snapshot: Snapshot, text: str, every: bool = True, minus: tuple[str, ...] = ()) -> str:
    expression = match_expression(query_words(text), minus, every=every)
    assert expression is not None
    cards = snapshot.cards(snapshot.product_ids.tolist())
    return " ".join(cards[product].key[0] for product, _ in snapshot.lexical(expression, 10))


def test_words_are_found_in_every_column(snapshot: Snapshot) -> None:
    assert words(snapshot, "oak") == "A"
    assert set(words(snapshot, "chairs").split()) == {"A", "B"}
    assert words(snapshot, "cafe grosser") == "C"
    assert words(snapshot, "cafe größer") == "C"
    assert words(snapshot, "SKU-10/2") == "S"
    assert words(snapshot, "o'neil") == "S"
    assert words(snapshot, "blue") == "B"
    assert set(words(snapshot, "number").split()) == set("ABCS")
    assert words(snapshot, "oak lamp") == ""
    assert set(words(snapshot, "oak lamp", every=False).split()) == {"A", "S"}
    assert words(snapshot, "chair", minus=("walnut",)) == "A"


def test_words_without_meaning_count_only_alone() -> None:
    assert query_words("a chair for the garden") == ["chair", "garden"]
    assert query_words("the one") == ["one"]
    assert query_words("to be") == ["to", "be"]
    assert match_expression(query_words("!?"), every=True) is None


def test_ids_are_found_whatever_their_case(snapshot: Snapshot) -> None:
    assert snapshot.typed_id(" sku-10/2 B ") == snapshot.ids_of(["SKU-10/2 b"])["SKU-10/2 b"]
    assert snapshot.typed_id("chair") is None
    assert snapshot.ids_of(["sku-10/2 B"]) == {}


@pytest.mark.parametrize(
    "where",
    [
        {"a": {}}, {"a": b"x"}, {"a": []}, {"a": {"<": [1, 2]}}, 5, b"a=b", [5], {5: "x"},
        {"a": float("nan")}, {"a": object()}, "", " ", "=x", {"": 1}, {"\u200b": 1}, [""],
        {"price": {"<": None}}, {"a": {"=": {"b": 1}}}, {"a": [["b"]]},
    ],
)  # fmt: skip
def test_what_no_filter_can_mean_is_never_everything(where: Any) -> None:
    with pytest.raises(QueryError):
        filters_from(where)
