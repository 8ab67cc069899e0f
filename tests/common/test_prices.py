"""A price is the right number, or it is refused: a shop that sells at a hundredth loses money."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.common.prices import MAX_PRICE_CHARACTERS, decimal_mark_of, parse_price
from retrieval.settings import Settings
from retrieval.sources import ProductRecord, open_source


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("Rs.1299", 1299.0), ("Rs. 1,299.00", 1299.0), ("\u20b91,299", 1299.0), ("Rs.99", 99.0),
        ("kr.99", 99.0), ("Fr.12.50", 12.5), ("S/. 12.90", 12.9), ("rs 1299/-", 1299.0),
        ("2.5k", 2500.0), ("1k", 1000.0), ("$2.5k", 2500.0), ("2,5 T\u20ac", 2500.0),
        ("3 Mio. \u20ac", 3e6), ("5\u4e07", 50_000.0), ("1.5 lakh", 150_000.0),
        (",89 \u20ac", 0.89), (".99", 0.99), ("$.99", 0.99), ("\u20ac,50", 0.5),
        ("99\u00a2", 0.99), ("89 ct", 0.89),
        ("1.299 \u20ac", 1299.0), ("$1,299", 1299.0), ("1,299", 1299.0),
        ("1.299.000 \u20ab", 1.299e6),
        ("CHF 1\u2019299.00", 1299.0), ("CHF 1'299.-", 1299.0), ("1 299:-", 1299.0),
        ("1\u202f299,50 kr", 1299.5), ("1.299,-", 1299.0), ("1,29,999.00", 129_999.0),
        ("\uff11\uff12\uff19\uff19\u5186", 1299.0), ("\u0661\u0662\u066b\u0665\u0660", 12.5),
        ("R$ 1.299,90", 1299.9), ("US$ 5", 5.0), ("19,90 EUR/m\u00b2", 19.9),
        ("ab 24,90 EUR", 24.9),
        ("z\u0142 12,50", 12.5), ("12.99*", 12.99), ("0.299", 0.299), ("1299.000", 1299.0),
    ],
)  # fmt: skip
def test_prices_of_many_countries(text: str, price: float) -> None:
    assert parse_price(text) == price


@pytest.mark.parametrize(
    "text",
    [
        "1.299", "KWD 1.250", "1.299k", "USD.99", "S/.99", "1.5M", "2 for 10", "3 kg", "12%",
        "19,90 - 29,90 EUR", "12 99", "1,299,00", "1.2,3.4", "(5.00)", "5-", "-5", "- 5", "$-5",
        "1_000", "12:50", "1/2", "K 25", ".1299", "\u20b9.1299", "12\u20ac50", "99p", "x12", "12x",
        "1.5 mil", "5 pcs", "0x10", "1e999", "nan", "infinity", "", " ", "$", ".", ",",
    ],
)  # fmt: skip
def test_what_may_mean_something_else_is_refused(text: str) -> None:
    assert parse_price(text) is None


@pytest.mark.parametrize(
    ("column", "prices"),
    [
        (["1.299 \u20ac", "1.299", "24,90 \u20ac", "12.500"], [1299, 1299, 24.9, 12500]),
        (["1.299", "24.90", "1,299.00", "899.00"], [1.299, 24.9, 1299, 899]),
        (["2.499,00 \u20ac", "1.299 \u20ac", "1.299", "0,99 \u20ac"], [2499, 1299, 1299, 0.99]),
        (["1.299 \u20ac", "1.299"], [1299, 1299]),
        (["1.299.000", "1.299"], [1_299_000, 1299]),
        (["1.299,-", "2.499"], [1299, 2499]),
        (["1,299", "24,90"], [1.299, 24.9]),
        (["1.299", "2.499"], [None, None]),
        (["24,90", "12.50", "1,299", "1.299 \u20ac"], [24.9, 12.5, None, None]),
        (["24.90", "1.299 \u20ac"], [24.9, None]),
    ],
)
def test_a_column_tells_what_a_point_means(
    tmp_path: Path, column: list[str], prices: list[float | None]
) -> None:
    path = tmp_path / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "title", "price"])
        writer.writerows([number, "Mug", price] for number, price in enumerate(column))
    records = [item for item in open_source(path, Settings()) if isinstance(item, ProductRecord)]
    assert [record.price for record in records] == prices
    for record in records:
        assert (record.price is None) == any(bad.field == "price" for bad in record.rejects)


SIGNS = {
    "de": (".", ","),
    "us": (",", "."),
    "ch": ("'", "."),
    "fr": ("\u202f", ","),
    "in": ("", "."),
}


@given(
    cents=st.lists(st.integers(0, 10**10), min_size=2, max_size=8),
    style=st.sampled_from(sorted(SIGNS)),
    currency=st.sampled_from(["{} \u20ac", "${}", "CHF {}", "Rs.{}", "{} kr", "{}"]),
    short=st.booleans(),
)
def test_what_a_shop_writes_is_never_another_amount(
    cents: list[int], style: str, currency: str, short: bool
) -> None:
    """In one style over the column: the right number, or none."""
    thousands, mark = SIGNS[style]
    texts = []
    for amount in cents:
        whole = f"{amount // 100:,}".replace(",", thousands)
        fraction = "" if short and amount % 100 == 0 else f"{mark}{amount % 100:02d}"
        texts.append(currency.format(whole + fraction))
    column = decimal_mark_of(texts)
    for amount, text in zip(cents, texts, strict=True):
        assert parse_price(text, column) in (amount / 100, None), text
        if "." in text.lstrip("Rs.") and "," in text:
            assert parse_price(text, column) == amount / 100


@given(st.text("0123456789.,' -\u20ac$kRs", max_size=MAX_PRICE_CHARACTERS + 5))
def test_a_price_is_a_sound_number_whatever_is_written(text: str) -> None:
    for column in (None, ".", ",", "either"):
        price = parse_price(text, column)  # type: ignore[arg-type]
        assert price is None or 0 <= price < float("inf")
