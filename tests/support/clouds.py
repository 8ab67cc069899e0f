"""Vectors that lie as embeddings do, and queries off their cloud."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

DIM = 16


def clustered(count: int, seed: int = 0) -> npt.NDArray[np.float16]:
    """Unit vectors in clusters, as embeddings lie."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(20, DIM))
    vectors = centres[random.integers(0, 20, count)] + 0.5 * random.normal(size=(count, DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def off_cloud(vectors: npt.NDArray[np.float16], count: int) -> npt.NDArray[np.float32]:
    """Queries that lie off the cloud of the vectors, as texts do off photos."""
    random = np.random.default_rng(9)
    rows = vectors[random.integers(0, len(vectors), count)].astype(np.float32)
    offset = np.zeros(DIM, np.float32)
    offset[0] = 1.5
    queries = rows + offset
    return np.asarray(queries / np.linalg.norm(queries, axis=1, keepdims=True), np.float32)
