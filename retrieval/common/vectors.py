"""Vectors: scaled, kept as bytes, compared; and samples that miss no part of a catalog."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval.errors import CatalogError

NEIGHBOURS = 10
ROWS_AT_ONCE = 1024

Vectors = npt.NDArray[np.float32]


def spread_evenly(count: int, most: int) -> npt.NDArray[np.int64]:
    """Up to `most` of the numbers 0 to `count` - 1, ascending, first and last among them."""
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)


def normalise(vectors: npt.NDArray[Any]) -> Vectors:
    """Rows scaled to length 1; a row of zeros stays as it is. Float32 (n, d)."""
    vectors = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def to_blob(vector: npt.NDArray[Any]) -> bytes:
    """A vector as it is stored: float16, little-endian."""
    return np.asarray(vector).astype("<f2").tobytes()


def from_blobs(blobs: Sequence[bytes], dim: int, name: str = "catalog") -> npt.NDArray[np.float16]:
    """Float16 (n, dim), read-only: vectors as they are stored.

    Args:
        name: whose vectors they are, for the error.

    Raises:
        CatalogError: one of them has another length.
    """
    if any(len(blob) != 2 * dim for blob in blobs):
        raise CatalogError(
            f"a vector of the {name} has the wrong length; run `retrieval verify --repair`"
        )
    return np.frombuffer(b"".join(blobs), dtype="<f2").reshape(len(blobs), dim)


@dataclass(frozen=True)
class NeighbourOverlap:
    """Of the vectors of the same items, made in two ways.

    Attributes:
        cosine: mean of each item's two vectors.
        least: the least of these cosines.
        overlap: share of an item's NEIGHBOURS nearest others that both agree on, 0 to 1.
    """

    cosine: float
    least: float
    overlap: float


def neighbour_overlap(theirs: Vectors, ours: Vectors) -> NeighbourOverlap:
    """Compares two (n, d), rows of length 1; of a single item they agree."""
    shared = [
        len(np.intersect1d(a, b)) / len(a) if len(a) else 1.0
        for a, b in zip(_neighbours(theirs), _neighbours(ours), strict=True)
    ]
    cosines = np.einsum("nd,nd->n", theirs, ours)
    return NeighbourOverlap(
        round(float(cosines.mean()), 5),
        round(float(cosines.min()), 5),
        round(float(np.mean(shared)), 4),
    )


def _neighbours(vectors: Vectors) -> npt.NDArray[np.int64]:
    """(n, k) of the rows nearest to each, itself left out; k is NEIGHBOURS, or all others."""
    count = min(NEIGHBOURS, len(vectors) - 1)
    nearest = np.empty((len(vectors), count), dtype=np.int64)
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        rows = np.arange(start, min(start + ROWS_AT_ONCE, len(vectors)))
        cosines = vectors[rows] @ vectors.T
        cosines[np.arange(len(rows)), rows] = -2
        nearest[rows] = np.argsort(-cosines, axis=1, kind="stable")[:, :count]
    return nearest
