"""Texts longer than a model's context: split at words into parts that fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from retrieval.common.vectors import Vectors, normalise

# Tokenizers undo entities: of one with more digits than Python makes a number of they die.
_ENDLESS_ENTITY = re.compile(r"&#[0-9]{1000,}")


def split_text(text: str, count_tokens: Callable[[str], int], limit: int) -> list[tuple[str, int]]:
    """Parts of `text` of at most `limit` tokens each, in order, with the tokens of each.

    Parts end between words; a word that is too long alone is halved until it fits. A text that
    fits comes back whole, also the empty one.

    Args:
        count_tokens: tokens of a string, special tokens left out.
        limit: at least 1.
    """
    whole = count_tokens(text)
    if whole <= limit:
        return [(text, max(whole, 1))]
    parts: list[tuple[str, int]] = []
    words: list[str] = []
    used = 0
    for word in _fitting_words(text, count_tokens, limit):
        tokens = count_tokens(word)
        if words and used + tokens > limit:
            parts.append((" ".join(words), used))
            words, used = [], 0
        words.append(word)
        used += tokens
    if words:
        parts.append((" ".join(words), used))
    return parts


def _fitting_words(text: str, count_tokens: Callable[[str], int], limit: int) -> list[str]:
    fitting: list[str] = []
    waiting = list(reversed(text.split()))
    while waiting:
        word = waiting.pop()
        if len(word) == 1 or count_tokens(word) <= limit:
            fitting.append(word)
        else:
            middle = len(word) // 2
            waiting += [word[middle:], word[:middle]]
    return fitting


def encode_split(
    texts: Sequence[str],
    count_tokens: Callable[[str], int],
    limit: int,
    encode: Callable[[Sequence[str]], Vectors],
) -> Vectors:
    """Vectors of texts of any length: of one that is split, the mean of its parts by tokens.

    Args:
        encode: what encodes texts that fit.
    """
    sound = (_ENDLESS_ENTITY.sub("&#", text) for text in texts)
    parts = [split_text(text, count_tokens, limit) for text in sound]
    flat = [part for text_parts in parts for part, _ in text_parts]
    vectors = encode(flat)
    if len(flat) == len(texts):
        return vectors
    averaged = np.empty((len(texts), vectors.shape[1]), dtype=np.float32)
    start = 0
    for row, text_parts in enumerate(parts):
        weights = np.array([tokens for _, tokens in text_parts], dtype=np.float32)
        end = start + len(text_parts)
        averaged[row] = weights @ vectors[start:end]
        start = end
    return normalise(averaged)
