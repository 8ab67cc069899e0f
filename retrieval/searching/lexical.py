"""Words of a query -> an expression of FTS5: exact words, SKUs and brands beside the vectors."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from retrieval.common.text import folded

# Words that nearly every description holds; alone they say nothing of what is wanted.
STOP_WORDS = frozenset(
    "a an and any anything are as at be but by for from has have i in into is it its me my of on "
    "or our some something that the their this to was we which will with you your".split()
)
SCORED_PRODUCTS = 2_000
# BM25 of FTS5: a word counts at most k1 + 1 times its idf, however often a product has it.
MOST_OF_A_WORD = 2.2
# Of words that most products have the idf is next to nothing, and what is left of BM25 is noise.
LEAST_TELLING = 1.0
# Looking words up takes the square of how many there are. Who pastes a page is understood by its
# beginning, and by the vector of all of it.
MOST_WORDS = 64
_WORD = re.compile(r"\w", re.UNICODE)
_TOKENS = re.compile(r"[^\W_]+")


def query_words(text: str) -> list[str]:
    """The words of a query that carry meaning; all of them where none does. None twice, and of a
    long query the first."""
    words = [word for word in text.split() if _WORD.search(word)]
    meaning = [word for word in words if folded(word).strip(".,;:!?'\"()") not in STOP_WORDS]
    kept: dict[tuple[str, ...], str] = {}
    looked_up = 0
    for word in meaning or words:
        # As the index cuts them: `x`, `X` and `x,` are one word, `CH-1771-OAK` is three.
        tokens = tuple(_TOKENS.findall(folded(word)))
        if (tokens or (word,)) in kept:
            continue
        looked_up += max(1, len(tokens))
        if kept and looked_up > MOST_WORDS:
            break
        kept[tokens or (word,)] = word
    return list(kept.values())


def telling_words(words: Sequence[str], holding: Mapping[str, int]) -> list[str]:
    """Of the words of a query, the rarest, as far as SCORED_PRODUCTS hold them; in their order.

    Scoring whatever has any of the words takes as long as there are such products, and those that
    share but a common word with the query are hardly better than the rest.

    Args:
        holding: how many products hold each of the words.
    """
    kept: set[str] = set()
    scored = 0
    for word in sorted(dict.fromkeys(words), key=holding.__getitem__):
        scored += holding[word]
        if scored > SCORED_PRODUCTS:
            break
        kept.add(word)
    return [word for word in words if word in kept]


def most_bm25(words: Sequence[str], holding: Mapping[str, int], products: int) -> float:
    """What BM25 comes near to where a product is all about these words, of one that has them all.

    Args:
        holding: how many of all `products` hold each of the words.
    """
    telling = sum(
        max(0.0, math.log((products - holding[word] + 0.5) / (holding[word] + 0.5)))
        for word in words
    )
    return MOST_OF_A_WORD * max(LEAST_TELLING, telling)
