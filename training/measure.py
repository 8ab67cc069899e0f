"""Recall, zero-shot accuracy and category precision over unit vectors."""

from __future__ import annotations

import numpy as np


def recall_at(queries: np.ndarray, gallery: np.ndarray, k: int = 10) -> float:
    """Share of queries i whose own gallery row i is among the k nearest; both unit float32 (n, d).

    Equal scores count against the query, so a constant embedding scores nothing.
    """
    hits = 0
    for start in range(0, len(queries), 2048):
        scores = queries[start : start + 2048] @ gallery.T
        rows = np.arange(len(scores))
        own = scores[rows, start + rows]
        hits += int(((scores >= own[:, None]).sum(1) <= k).sum())
    return hits / len(queries)


def zero_shot(
    images: np.ndarray, labels: list[str], names: list[str], prompts: np.ndarray
) -> float:
    """Share of images whose nearest prompt (row of `prompts`.

    One a name of `names`) is their label's.
    """
    nearest = (images @ prompts.T).argmax(1)
    return float(np.mean([names[i] == label for i, label in zip(nearest, labels, strict=True)]))


def category_precision(images: np.ndarray, categories: list[str], k: int = 5) -> float:
    """Mean share of the k nearest other images that have the query's category."""
    scores = images @ images.T
    np.fill_diagonal(scores, -2)
    nearest = np.argpartition(-scores, k, axis=1)[:, :k]
    kinds = np.array(categories)
    return float((kinds[nearest] == kinds[:, None]).mean())


def found_near(vectors: np.ndarray, pairs: list[tuple[int, int]], k: int = 10) -> float:
    """Share of pairs of rows whose second is among the k nearest of the first; unit rows (n, d)."""
    first, second = np.array(pairs).T
    scores = vectors[first] @ vectors.T
    scores[np.arange(len(first)), first] = -2
    wanted = scores[np.arange(len(first)), second]
    return float(((scores > wanted[:, None]).sum(1) < k).mean())
