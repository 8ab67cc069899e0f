"""A category's path, however a shop writes it, and the texts that a product is embedded by."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.common.products import STEP_SEPARATORS, ProductRecord, category_steps
from retrieval.searching.facets import FACETS
from retrieval.sources.columns import ALIASES, FIELDS
from retrieval.storage.filters import COLUMNS
from retrieval.storage.folder.snapshot import SQL_COLUMNS
from retrieval.storage.folder.snapshot_writing import WORD_COLUMNS, WORD_WEIGHTS

HASH = "01b95c2930f13785c2e16149b56160696c9deb2efb48d9f25b649a112be74ef4"


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("Men > Tops", ("Men", "Tops")),
        ("Men>Tops", ("Men", "Tops")),
        ("Men >> Tops", ("Men", "Tops")),
        ("Men/Tops/Hoodies & Sweatshirts", ("Men", "Tops", "Hoodies & Sweatshirts")),
        ("Men | Tops", ("Men", "Tops")),
        ("/Men/Tops/", ("Men", "Tops")),
        ("Audio/Video > Cables", ("Audio/Video", "Cables")),
        ("Audio/Video | Cables", ("Audio/Video", "Cables")),
        ("  Vases ", ("Vases",)),
        ("N/A", ("N/A",)),
        ("", ()),
        (" / > ", ("/",)),
        (">", ()),
    ],
)
def test_the_steps_of_a_category_are_told_however_they_are_written(
    text: str, steps: tuple[str, ...]
) -> None:
    assert category_steps(text) == steps


NAMES = st.text(min_size=1).map(str.strip).filter(lambda name: name and ">" not in name)


@given(names=st.lists(NAMES, min_size=2), spaces=st.sampled_from(["", " "]))
def test_names_with_slashes_and_bars_survive_between_angles(names: list[str], spaces: str) -> None:
    assert category_steps(f"{spaces}>{spaces}".join(names)) == tuple(names)


@given(st.text())
def test_no_text_makes_steps_that_are_empty_or_longer_than_it(text: str) -> None:
    steps = category_steps(text)
    assert all(step and step == step.strip() and step in text for step in steps)
    assert category_steps(" " + text + "\n") == steps
    if not any(sign in text for sign in STEP_SEPARATORS):
        assert steps == ((text.strip(),) if text.strip() else ())


def test_the_fields_of_a_product_are_used_as_they_have_always_been() -> None:
    """A file of a generation, a filter or a flag of an earlier version must mean the same."""
    assert FIELDS == ("id", "title", "description", "image", "category", "brand", "price")
    assert set(ALIASES) == set(FIELDS)
    assert COLUMNS == ("id", "title", "category", "brand", "price")
    assert tuple(SQL_COLUMNS) == COLUMNS
    assert WORD_COLUMNS == ("key", "title", "description", "category", "brand", "attributes")
    assert WORD_WEIGHTS == (8.0, 4.0, 1.0, 2.0, 2.0, 1.5)
    assert FACETS == ("category", "brand")


def test_what_a_source_says_of_a_product_hashes_as_before() -> None:
    """Else every row would count as changed, and be written anew."""
    record = ProductRecord("A", Path(), "Oak chair", "Sturdy", "Chairs", None, 9.5, {"c": "red"})
    assert record.row_hash == HASH
