"""The words that a product goes by are its own, and those that its likes share."""

from __future__ import annotations

from typing import Any

import pytest

from retrieval.errors import NotFound


def test_a_product_goes_by_what_sets_it_apart(catalog: Any) -> None:
    product = catalog.product("P-003")
    assert "bottle" in product.words[0] and product.words.count("red") <= 1
    assert all(word == word.lower() for word in product.words)


def test_words_lead_to_products_that_have_them(catalog: Any) -> None:
    for word in catalog.product("P-000").words:
        assert catalog.search(word, mode="lexical", limit=1).total > 0, word


def test_no_word_is_said_twice(catalog: Any) -> None:
    words = catalog.product("P-001").words
    stems = [part.rstrip("s") for word in words for part in word.split()]
    assert len(stems) == len(set(stems))


def test_who_is_not_there_has_no_words(catalog: Any) -> None:
    with pytest.raises(NotFound, match=r"no product 'nobody'$"):
        catalog.product("nobody")
    assert catalog.product("P-001", similar=["nobody", "P-002"]).words
