"""Pairs of vectors that an adapter can learn: what a model with random weights does not make."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrieval.adaptation.pairs import Pairs, make_pairs
from retrieval.encoders import normalise

DIM = 32


def pairs_of(count: int = 300, learnable: float = 1.0, seed: int = 0, categories: int = 6) -> Pairs:
    """Products whose texts are a fixed distortion of their photos, plus noise."""
    chance = np.random.default_rng(seed)
    photos = chance.normal(size=(count, DIM))
    turn = np.linalg.qr(np.random.default_rng(99).normal(size=(DIM, DIM)))[0]
    texts = photos @ (0.35 * np.eye(DIM) + learnable * 0.65 * turn)
    texts = texts + 0.6 * chance.normal(size=texts.shape)
    names = np.array([f"c{i % categories}" for i in range(count)])
    every = np.arange(count)
    asks = np.ones(count, dtype=np.bool_)
    return make_pairs(normalise(photos), normalise(texts), every, every, asks, names, "model")


def wide_pairs() -> Pairs:
    """As `pairs_of`, as wide as the tiny model's vectors."""
    pairs = pairs_of()
    wide = ((0, 0), (0, 64 - DIM))
    return with_vectors(pairs, np.pad(pairs.photos, wide), np.pad(pairs.texts, wide))


def with_vectors(pairs: Pairs, photos: Any = None, texts: Any = None) -> Pairs:
    return make_pairs(
        pairs.photos if photos is None else photos,
        pairs.texts if texts is None else texts,
        pairs.photo_products,
        pairs.text_products,
        pairs.asks,
        pairs.categories,
        pairs.fingerprint,
    )
