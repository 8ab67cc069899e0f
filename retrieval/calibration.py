"""How strong a cosine is: measured on the catalog itself, apart for each pair of modalities.

Cosines of texts with photos are low and close together, those of photos with photos high: no
one threshold serves both. For each pair the cosines of things that belong together are held
against those of things that do not; where the two distributions part, weak matches begin.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval.encoders.base import Vectors
from retrieval.vectors.gallery import Gallery

SAMPLE_PRODUCTS = 1_000
MIN_PAIRS = 8
DUPLICATE = 0.9995
# A logistic curve is at 0.05 and 0.95 this many units from its middle on either side.
LOGISTIC_REACH = 2.944


@dataclass(frozen=True)
class Calibration:
    """Cosine -> strength for one pair of modalities.

    Attributes:
        threshold: the cosine as far, in standard deviations, from the matches as from the rest.
        slope: of the logistic curve through it; at the mean of the matches strength is 0.95
            where the two distributions are alike in width.
    """

    threshold: float
    slope: float

    def strength(self, cosine: float) -> float:
        """0 to 1; below 0.5 the match is no better than chance would give."""
        exponent = max(-60.0, min(60.0, -self.slope * (cosine - self.threshold)))
        return 1 / (1 + math.exp(exponent))


def calibrate(images: Gallery, texts: Gallery) -> dict[str, Any]:
    """Calibrations by `query>gallery` (`text>images`, ...), as a manifest stores them.

    Pairs that the catalog has too few examples of are left out.
    """
    image_products, image_rows = np.unique(images.products, return_index=True)
    text_products, text_rows = np.unique(texts.products, return_index=True)
    both, in_images, in_texts = np.intersect1d(
        image_products, text_products, assume_unique=True, return_indices=True
    )
    found: dict[str, Calibration | None] = {}
    picked = _spread(len(both))
    photos = _rows(images, image_rows[in_images[picked]])
    words = _rows(texts, text_rows[in_texts[picked]])
    across = _across(photos, words)
    found["text>images"] = found["image>texts"] = across
    found["image>images"] = _within(_rows(images, image_rows[_spread(len(image_rows))]))
    found["text>texts"] = _within(_rows(texts, text_rows[_spread(len(text_rows))]))
    return {name: asdict(value) for name, value in found.items() if value is not None}


def read_calibration(stored: dict[str, Any]) -> dict[str, Calibration]:
    return {name: Calibration(**values) for name, values in stored.items()}


def _across(photos: Vectors, words: Vectors) -> Calibration | None:
    """Each product's text with its own photo, against those of others."""
    if len(photos) < MIN_PAIRS:
        return None
    shifts = np.linspace(1, len(photos) - 1, min(8, len(photos) - 1)).astype(int)
    apart = [np.einsum("nd,nd->n", words, np.roll(photos, s, axis=0)) for s in shifts]
    return _between(np.einsum("nd,nd->n", words, photos), np.concatenate(apart))


def _within(vectors: Vectors) -> Calibration | None:
    """Each vector with its nearest other one, copies left out, against all others."""
    if len(vectors) < MIN_PAIRS:
        return None
    cosines = vectors @ vectors.T
    others = cosines[~np.eye(len(vectors), dtype=np.bool_)]
    nearest = np.where(cosines > DUPLICATE, -1, cosines).max(axis=1)
    nearest = nearest[nearest > -1]
    return _between(nearest, others) if len(nearest) >= MIN_PAIRS else None


def _between(
    together: npt.NDArray[np.floating[Any]], apart: npt.NDArray[np.floating[Any]]
) -> Calibration | None:
    near, far = float(together.mean()), float(apart.mean())
    near_width, far_width = float(together.std()) + 1e-6, float(apart.std()) + 1e-6
    if near - far < 1e-3:
        return None
    threshold = (near * far_width + far * near_width) / (near_width + far_width)
    slope = 2 * LOGISTIC_REACH / (near - far)
    return Calibration(round(threshold, 6), round(slope, 6))


def _spread(count: int) -> npt.NDArray[np.int64]:
    return np.linspace(0, count - 1, min(count, SAMPLE_PRODUCTS)).astype(np.int64)


def _rows(gallery: Gallery, rows: npt.NDArray[np.int64]) -> Vectors:
    return np.asarray(gallery.vectors[rows], dtype=np.float32)
