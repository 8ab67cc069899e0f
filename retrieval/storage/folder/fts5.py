"""Words -> an expression of FTS5."""

from __future__ import annotations

import re
from collections.abc import Sequence

# What FTS5 does with a phrase takes the square of its words, where a product has them often.
LONGEST_PHRASE = 200
_WORD = re.compile(r"\w", re.UNICODE)


def match_expression(
    words: Sequence[str], without: Sequence[str] = (), *, every: bool
) -> str | None:
    """FTS5 for products with all of the words, or any; None where there is nothing to find.

    Each word is a quoted phrase: nothing that is typed is an operator, and a SKU such as
    `CH-1042` matches its parts in order only. So is each of what is unwanted: who wants no
    `wall clock` may want a clock.
    """
    if not words:
        return None
    joined = (" AND " if every else " OR ").join(map(phrase, words))
    unwanted = " OR ".join(phrase(part) for part in without if _WORD.search(part))
    return f"({joined}) NOT ({unwanted})" if unwanted else joined


def phrase(word: str) -> str:
    """FTS5 for exactly this, or of a long text for its beginning; nothing in it is an operator."""
    if len(word) > LONGEST_PHRASE:
        start = word[: LONGEST_PHRASE + 1]
        word = start.rpartition(" ")[0] if " " in start.strip() else start[:-1]
    return '"' + word.replace("\x00", "").replace('"', '""') + '"'
