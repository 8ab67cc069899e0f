"""How strong a cosine is: measured on the catalog itself, apart for each pair of modalities.

Cosines of texts with photos are low and close together, those of photos with photos high: no
one threshold serves both. For each pair it is measured what cosines chance gives: those of
products with what belongs to others. A match that one in a hundred of them reaches is weak.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval.common.vectors import Vectors, spread_evenly
from retrieval.storage.entities import LOGISTIC_REACH, Calibration
from retrieval.storage.folder.gallery import Gallery

SAMPLE_PRODUCTS = 1_000
MIN_PRODUCTS = 8
SHIFTS = 8
DUPLICATE = 0.9995
REACHED_BY_CHANCE = 0.99


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
    picked = _sample(both)
    photos = _rows(images, image_rows[in_images[picked]])
    words = _rows(texts, text_rows[in_texts[picked]])
    across = _across(photos, words)
    found["text>images"] = found["image>texts"] = across
    found["image>images"] = _within(_rows(images, image_rows[_sample(image_rows)]))
    found["text>texts"] = _within(_rows(texts, text_rows[_sample(text_rows)]))
    return {name: asdict(value) for name, value in found.items() if value is not None}


def read_calibration(stored: dict[str, Any]) -> dict[str, Calibration]:
    return {name: Calibration(**values) for name, values in stored.items()}


def _across(photos: Vectors, words: Vectors) -> Calibration | None:
    """Each product's text with the photos of others."""
    if len(photos) < MIN_PRODUCTS:
        return None
    shifts = np.linspace(1, len(photos) - 1, min(SHIFTS, len(photos) - 1)).astype(int)
    apart = [np.einsum("nd,nd->n", words, np.roll(photos, s, axis=0)) for s in shifts]
    return _above(np.concatenate(apart))


def _within(vectors: Vectors) -> Calibration | None:
    """Each vector with those of other products, copies left out."""
    if len(vectors) < MIN_PRODUCTS:
        return None
    cosines = vectors @ vectors.T
    others = cosines[~np.eye(len(vectors), dtype=np.bool_)]
    return _above(others[others < DUPLICATE])


def _above(chance: npt.NDArray[np.floating[Any]]) -> Calibration | None:
    if len(chance) < MIN_PRODUCTS:
        return None
    threshold = float(np.quantile(chance, REACHED_BY_CHANCE))
    reach = threshold - float(chance.mean())
    if reach < 1e-4:
        return None
    return Calibration(round(threshold, 6), round(LOGISTIC_REACH / reach, 6))


def _sample(rows: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return spread_evenly(len(rows), SAMPLE_PRODUCTS)


def _rows(gallery: Gallery, rows: npt.NDArray[np.int64]) -> Vectors:
    return np.asarray(gallery.vectors[rows], dtype=np.float32)
