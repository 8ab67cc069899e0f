"""Pictures with all that is said of them, and how training draws from them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from training.corpus import captions_of, sentences
from training.features import Features

TITLE, SENTENCE, KIND = range(3)


@dataclass
class PictureSet:
    """One Parquet set: features, and for every picture its texts' numbers, by TITLE.

    SENTENCE and KIND.
    """

    name: str
    features: Features
    texts: list[tuple[list[int], list[int], list[int]]]
    held: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))


def texts_of(captions: list[str], category: str | None) -> tuple[list[str], list[str], list[str]]:
    """What may be said of a picture: whole captions, their sentences.

    And the kind of thing it shows.
    """
    titles = list(dict.fromkeys(c[:300] for c in captions))
    parts = [p for title in titles for p in (sentences(title) if len(title) > 60 else [])]
    kinds = [k.strip() for k in re.split(r"\s*[|>/]\s*", category or "")[-2:] if k.strip()]
    if len(titles) == 1 and len(titles[0].split()) <= 3:
        kinds.append(f"a photo of a {titles[0]}")
    return titles, parts[:4] if len(parts) > 1 else [], kinds


def read_sets(
    paths: list[Path], features: Path, unseen: list[str]
) -> tuple[list[PictureSet], list[str]]:
    """The sets with their cached `features`, and the distinct texts that they number.

    Sets in `unseen` are held out whole. About
    one picture in thirty of the larger others is held out too: all that share a first caption fall
    on the same side, so that no product is on both.
    """
    texts: dict[str, int] = {}
    sets = []
    for path in paths:
        categories = pq.read_table(path, columns=["category"]).column(0).to_pylist()
        # A set whose category is one and the same for all pictures says nothing with it.
        varied = len(set(categories)) > 1
        rows, held = [], []
        for captions, category in zip(captions_of(path), categories, strict=True):
            groups = texts_of(captions, category if varied else None)
            rows.append(tuple([texts.setdefault(t, len(texts)) for t in group] for group in groups))
            digest = hashlib.sha256((captions[0] if captions else "").encode()).digest()
            held.append(len(categories) >= 3000 and digest[0] < 8)
        held_out = np.array(held)
        # Label sets would lose a whole label by that rule: a share of their pictures instead.
        if len({row[0][0] for row in rows if row[0]}) < len(rows) / 20:
            held_out = (np.arange(len(rows)) % 32 == 0) & (len(rows) >= 3000)
        if path.stem in unseen:
            held_out[:] = True
        sets.append(PictureSet(path.stem, Features.open(features, path.stem), rows, held_out))
    return sets, list(texts)


class Sampler:
    """Draws training pictures: a set in proportion to its size to the `power`, any picture of it.

    Any text.
    """

    def __init__(
        self, sets: list[PictureSet], power: float, seed: int, boost: dict[str, float]
    ) -> None:
        self._sets, self._rng = sets, np.random.default_rng(seed)
        self._rows = [
            np.array([i for i in np.flatnonzero(~s.held) if s.texts[i][TITLE]]) for s in sets
        ]
        weights = np.array(
            [
                len(r) ** power * boost.get(s.name, 1.0)
                for s, r in zip(sets, self._rows, strict=True)
            ]
        )
        self._weights = weights / weights.sum()
        self.size = sum(len(r) for r in self._rows)

    def draw(self, count: int) -> tuple[list[tuple[int, np.ndarray]], np.ndarray]:
        """`count` pictures as (set number, sorted rows) groups.

        And a text number for each in that order.
        """
        chosen = self._rng.multinomial(count, self._weights)
        groups, numbers = [], []
        for index, amount in enumerate(chosen):
            if amount:
                rows = np.sort(self._rng.choice(self._rows[index], amount))
                groups.append((index, rows))
                numbers += [self._text(self._sets[index].texts[row]) for row in rows]
        return groups, np.array(numbers)

    def _text(self, groups: tuple[list[int], list[int], list[int]]) -> int:
        dice = self._rng.random()
        kind = TITLE if dice < 0.7 else SENTENCE if dice < 0.85 else KIND
        pool = groups[kind] or groups[TITLE]
        return pool[self._rng.integers(len(pool))]
