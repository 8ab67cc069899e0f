"""The words that a product goes by: those that set it, and what looks like it, apart."""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

from retrieval.common.products import ANSWERS, category_steps
from retrieval.common.text import visible
from retrieval.searching.lexical import STOP_WORDS
from retrieval.storage.entities import Card
from retrieval.storage.filters import leaves

WORDS = 8
# What its own texts say counts more than what those of its likes say, but they know more words.
OWN_WEIGHT = 3.0
SHARED_BY = 4
SHORT = 3
LONGEST = 500
_WORD = re.compile(r"[^\W\d_][\w'-]*[^\W_]", re.UNICODE)


def keywords_of(
    product: Card,
    likes: Sequence[Card],
    products: int,
    holding: Callable[[Sequence[str]], dict[str, int]],
) -> list[str]:
    """Up to WORDS words and pairs of words, the most telling first.

    TF-IDF over its title, category and attributes, and the titles and categories of those like
    it. A word of the others alone counts where SHARED_BY of them have it.

    Args:
        products: how many there are in the catalog.
        holding: how many products hold each of these words.
    """
    own = _terms(product) | _values(product)
    # Values of the others are theirs: the same chair in oak makes this one of walnut no oak.
    others = Counter(term for card in likes for term in _terms(card))
    known = own | {term for term, count in others.items() if count >= SHARED_BY}
    frequency = holding(sorted(known))

    def weight(term: str) -> float:
        held = max(1, frequency[term])
        share = (OWN_WEIGHT * (term in own) + others[term]) / (OWN_WEIGHT + len(likes))
        return share * math.log(1 + products / held)

    ordered = sorted(known, key=lambda term: (-weight(term), term))
    return _without_repeats(ordered)


def _terms(card: Card) -> set[str]:
    """The words of the title, alone and by twos, and the last step of the category."""
    terms = set()
    title = [word.lower() for word in _WORD.findall(visible(card.title)[:LONGEST])]
    terms |= {word for word in title if word not in STOP_WORDS}
    terms |= {
        f"{a} {b}"
        for a, b in itertools.pairwise(title)
        if a not in STOP_WORDS and b not in STOP_WORDS and a != b
    }
    return terms | _short(category_steps(card.category or "")[-1:])


def _values(card: Card) -> set[str]:
    held = (leaf for item in card.attributes.items() for _, leaf in leaves(*item))
    return _short([value for value in held if isinstance(value, str)])


def _short(texts: Sequence[str]) -> set[str]:
    values = set()
    for text in texts:
        words = _WORD.findall(visible(text)[:LONGEST])
        # What is longer is a description; what has digits is a size or a number.
        if 0 < len(words) <= SHORT and not re.search(r"\d", text) and text.lower() not in ANSWERS:
            values.add(" ".join(words).lower())
    return values


def _without_repeats(terms: list[str]) -> list[str]:
    """The first WORDS that are not said already: `oak` beside `oak chairs` says nothing new."""
    kept: list[str] = []
    for term in terms:
        parts = _stems(term)
        if any(parts <= _stems(other) or _stems(other) <= parts for other in kept):
            continue
        kept.append(term)
        if len(kept) == WORDS:
            break
    return kept


def _stems(term: str) -> set[str]:
    return {word.removesuffix("s").removesuffix("e") for word in term.split()}
