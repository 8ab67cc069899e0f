"""How near the vectors of two ways to run one model are, as a search would notice it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrieval.encoders.base import Vectors

NEIGHBOURS = 10
ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Nearness:
    """Of the vectors of the same items, made in two ways.

    Attributes:
        cosine: mean of each item's two vectors.
        least: the least of these cosines.
        overlap: share of an item's NEIGHBOURS nearest others that both agree on, 0 to 1.
    """

    cosine: float
    least: float
    overlap: float


def nearness(theirs: Vectors, ours: Vectors) -> Nearness:
    """Compares two (n, d), rows of length 1."""
    shared = [
        len(np.intersect1d(a, b)) / len(a)
        for a, b in zip(_neighbours(theirs), _neighbours(ours), strict=True)
    ]
    cosines = np.einsum("nd,nd->n", theirs, ours)
    return Nearness(
        round(float(cosines.mean()), 5),
        round(float(cosines.min()), 5),
        round(float(np.mean(shared)), 4),
    )


def _neighbours(vectors: Vectors) -> npt.NDArray[np.int64]:
    """(n, k) of the rows nearest to each, itself left out; k is NEIGHBOURS, or all others."""
    count = min(NEIGHBOURS, len(vectors) - 1)
    found = np.empty((len(vectors), count), dtype=np.int64)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        rows = np.arange(start, min(start + ROWS_AT_ONCE, len(vectors)))
        cosines = vectors[rows] @ vectors.T
        cosines[np.arange(len(rows)), rows] = -2
        found[rows] = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
    return found
