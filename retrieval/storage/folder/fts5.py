"""Words -> an expression of FTS5."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from retrieval.common.text import folded, visible

# What FTS5 does with a phrase takes the square of its words, where a product has them often.
LONGEST_PHRASE = 200
_WORD = re.compile(r"\w", re.UNICODE)


# How a word may be spelt in a full-text index.
Spellings = Callable[[str], Sequence[str]]


def as_indexed(word: str) -> Sequence[str]:
    """As words are cut since they are folded on their way in."""
    return (folded(word),)


def as_it_came(word: str) -> Sequence[str]:
    """As an index may have it whose words were taken as they came: composed, taken apart, or with
    what is hidden in it."""
    seen = visible(word)
    ways = (word, seen, unicodedata.normalize("NFD", seen), folded(word))
    return tuple(dict.fromkeys(ways))


def match_expression(
    words: Sequence[str],
    without: Sequence[str] = (),
    *,
    every: bool,
    spellings: Spellings = as_indexed,
) -> str | None:
    """FTS5 for products with all of the words, or any; None where there is nothing to find.

    Each word is a quoted phrase: nothing that is typed is an operator, and a SKU such as
    `CH-1042` matches its parts in order only. So is each of what is unwanted: who wants no
    `wall clock` may want a clock.
    """
    if not words:
        return None
    joined = (" AND " if every else " OR ").join(phrase(word, spellings) for word in words)
    unwanted = " OR ".join(phrase(part, spellings) for part in without if _WORD.search(part))
    return f"({joined}) NOT ({unwanted})" if unwanted else joined


def phrase(word: str, spellings: Spellings = as_indexed) -> str:
    """FTS5 for exactly this, or of a long text for its beginning; nothing in it is an operator."""
    if len(word) > LONGEST_PHRASE:
        start = word[: LONGEST_PHRASE + 1]
        word = start.rpartition(" ")[0] if " " in start.strip() else start[:-1]
    ways = ['"' + spelt.replace("\x00", "").replace('"', '""') + '"' for spelt in spellings(word)]
    return ways[0] if len(ways) == 1 else f"({' OR '.join(ways)})"
