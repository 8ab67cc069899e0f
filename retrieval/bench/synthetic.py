"""Vectors that lie as those of CLIP's models do, for sizes that no catalog at hand has.

Photos of one product lie close together, products in clusters of unequal size, all of them about
one direction, with a spectrum that falls as a power. Texts lie across a gap, about another
direction, and share a part only with the photos that they speak of. The figures were fitted to
the starter's vectors of real catalogs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

DIM = 512
CLUSTERS = 4_000
PHOTOS_A_PRODUCT = 4
PHOTO_MEAN, TEXT_MEAN, MEANS_COSINE = 0.62, 0.43, 0.62
TEXT_SHARE = 0.3  # of what a photo shows, that a text says
CHUNK = 65_536

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Cloud:
    """Photos float16 (n, d), and queries float32 (q, d) of both kinds; all rows of length 1."""

    photos: npt.NDArray[np.float16]
    photo_queries: Floats
    text_queries: Floats


def clip_like(count: int, queries: int = 200, seed: int = 0) -> Cloud:
    """`count` photos and `queries` queries of each kind, the same for the same seed."""
    chance = np.random.default_rng(seed)
    axes = np.linalg.qr(chance.standard_normal((DIM, DIM)))[0].astype(np.float32)
    first, other = _unit(chance.standard_normal((2, DIM)).astype(np.float32))
    second = _unit((MEANS_COSINE * first + (1 - MEANS_COSINE**2) ** 0.5 * other)[None])[0]
    products = count // PHOTOS_A_PRODUCT + 1
    looks = _drawn(chance, CLUSTERS, 1.15, 0.36)
    words = _drawn(chance, CLUSTERS, 0.7, 0.35)
    own = _drawn(chance, products, 1.0, 0.18)
    sizes = (np.arange(CLUSTERS) + 20.0) ** -0.8
    cluster = chance.choice(CLUSTERS, products, p=sizes / sizes.sum())
    product = chance.permutation(count + queries) % products
    photos = np.empty((count + queries, DIM), dtype=np.float16)
    for start in range(0, len(photos), CHUNK):
        some = product[start : start + CHUNK]
        seen = looks[cluster[some]] + own[some] + _drawn(chance, len(some), 0.8, 0.08)
        photos[start : start + len(some)] = _unit(seen @ axes.T + PHOTO_MEAN * first)
    some = product[count:]
    meanings = TEXT_SHARE * (looks[cluster[some]] + own[some])
    meanings = meanings + 0.85 * (words[cluster[some]] + _drawn(chance, queries, 0.6, 0.5))
    texts = _unit(meanings @ axes.T + TEXT_MEAN * second)
    return Cloud(photos[:count], photos[count:].astype(np.float32), texts)


def _drawn(chance: np.random.Generator, count: int, power: float, variance: float) -> Floats:
    """Rows whose variance falls along the axes as a power, and sums up to `variance`."""
    spectrum = (np.arange(DIM) + 1.5) ** -power
    spread = np.sqrt(variance * spectrum / spectrum.sum()).astype(np.float32)
    drawn: Floats = chance.standard_normal((count, DIM), dtype=np.float32) * spread
    return drawn


def _unit(rows: Any) -> Floats:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
