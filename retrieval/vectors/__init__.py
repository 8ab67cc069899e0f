"""Vectors that can be searched: FAISS, exact rescoring, and the choice of index by recall."""

from __future__ import annotations

from retrieval.vectors.ann import TYPES, AnnIndex
from retrieval.vectors.gallery import Gallery, Ranking

__all__ = ["TYPES", "AnnIndex", "Gallery", "Ranking"]
