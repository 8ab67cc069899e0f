"""CLIP's tokens without torch: open_clip's tokenizer, carried over to Hugging Face's library.

Importing open_clip takes seconds and half a gigabyte, which a search by words need not spend.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import ftfy
import numpy as np
import numpy.typing as npt
import regex
from tokenizers import Tokenizer, models, pre_tokenizers

Tokens = npt.NDArray[np.int64]

TOKENIZER_FILE = "tokenizer.json"
REMEMBERED_WORDS = 50_000
LONGEST_WORD = 30
# How CLIP cuts a text before it looks for pairs: endings, words, single digits, all else.
_PIECES = regex.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
_SPACE = re.compile(r"\s+")
# Texts that tell tokenizers apart: both are asked for them before ours is trusted.
PROBES = (
    "",
    " ",
    "a red mug",
    "  Two   spaces\tand\na line ",
    "It's the shop's, we'll say they've 'd",
    "CH-1042/B 12.5cm x 3½ (2 pcs.) #7 @home",
    "Kaffeebecher für Omas Größe \u2013 naïve café",
    "&amp;lt;b&amp;gt; &quot;quoted&quot; &#39;",
    "椅子 と テーブル",
    "стул из дерева",
    "كرسي خشبي",
    "☕🪑 emoji 👩‍👩‍👧",
    "ﬁne ﬂoor İstanbul ẞ",
    "schÃ¶n mojibake â€\u201c dash",
    "\u200bzero\u00a0width \u3000 wide",
    "supercalifragilisticexpialidocious" * 3,
    "0123456789 1,000,000.00 €",
)


class ClipTokenizer:
    """Texts -> tokens, as the model was trained; safe to share between threads."""

    def __init__(self, tokenizer: Tokenizer, start: int, end: int, context: int) -> None:
        self._tokenizer = tokenizer
        self.start = start
        self.end = end
        self._context = context
        # Long texts are split by the tokens of their words, and words come again and again.
        self._count_word = lru_cache(REMEMBERED_WORDS)(lambda word: len(self.encode(word)))

    @classmethod
    def load(cls, folder: Path, start: int, end: int, context: int) -> ClipTokenizer:
        return cls(Tokenizer.from_file(str(folder / TOKENIZER_FILE)), start, end, context)

    @classmethod
    def carried_over(cls, simple: Any, context: int) -> ClipTokenizer | None:
        """Of an `open_clip.SimpleTokenizer`; None where the two do not agree on every probe."""
        if simple.clean_fn.__name__ != "_clean_lower" or simple.reduction_fn is not None:
            return None
        merges = sorted(simple.bpe_ranks, key=simple.bpe_ranks.get)
        model = models.BPE(vocab=simple.encoder, merges=merges, end_of_word_suffix="</w>")
        tokenizer = Tokenizer(model)
        # The pieces are cut here, by the library that open_clip uses: others know other editions
        # of Unicode, and so other letters.
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        made = cls(tokenizer, simple.sot_token_id, simple.eot_token_id, context)
        agree = all(made.encode(probe) == simple.encode(probe) for probe in PROBES)
        return made if agree else None

    def save(self, folder: Path) -> None:
        self._tokenizer.save(str(folder / TOKENIZER_FILE))

    def encode(self, text: str) -> list[int]:
        """Tokens of a text, without those for its start and end."""
        unescaped = html.unescape(html.unescape(ftfy.fix_text(text)))
        cleaned = _SPACE.sub(" ", unescaped).strip().lower()
        pieces = _PIECES.findall(cleaned)
        encoded = self._tokenizer.encode(pieces, is_pretokenized=True, add_special_tokens=False)
        ids: list[int] = encoded.ids
        return ids

    def count(self, text: str) -> int:
        """Tokens of a text, without those for its start and end."""
        return self._count_word(text) if len(text) <= LONGEST_WORD else len(self.encode(text))

    def __call__(self, texts: Sequence[str]) -> Tokens:
        """Int64 (n, context): start, tokens, end, then zeros; what is too long is cut."""
        rows = np.zeros((len(texts), self._context), dtype=np.int64)
        for row, text in zip(rows, texts, strict=True):
            tokens = self.encode(text)[: self._context - 2]
            row[: len(tokens) + 2] = [self.start, *tokens, self.end]
        return rows
