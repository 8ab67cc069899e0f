"""How strong a cosine is: measured on the catalog itself, apart for each pair of modalities.

Cosines of texts with photos are low and close together, those of photos with photos high: no
one threshold serves both. For each pair it is measured what cosines chance gives: those of
products with what belongs to others. A match that one in a hundred of them reaches is weak.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval.common.vectors import Vectors
from retrieval.storage.base import Generation
from retrieval.storage.entities import (
    LOGISTIC_REACH,
    MODALITIES,
    Calibration,
    Ids,
    Manifest,
    Modality,
)

SAMPLE_PRODUCTS = 1_000
MIN_PRODUCTS = 8
SHIFTS = 8
DUPLICATE = 0.9995
REACHED_BY_CHANCE = 0.99
LEAST_REACH = 1e-4  # cosines that lie closer together are one: no curve can be laid through them


def calibrate(generation: Generation) -> dict[str, Calibration]:
    """Calibrations by `query>gallery` (`text>images`, ...), of an even sample of products.

    Pairs that the catalog has too few examples of are left out.
    """
    both = generation.sample_products(SAMPLE_PRODUCTS, with_all_of=("images", "texts"))
    across = _across(
        _first_vectors(generation, "images", both), _first_vectors(generation, "texts", both)
    )
    pairs = {"text>images": across, "image>texts": across}
    for modality in MODALITIES:
        products = generation.sample_products(SAMPLE_PRODUCTS, with_all_of=(modality,))
        kind = modality.removesuffix("s")
        pairs[f"{kind}>{modality}"] = _within(_first_vectors(generation, modality, products))
    return {name: pair for name, pair in pairs.items() if pair is not None}


def unmeasured(manifest: Manifest) -> list[str]:
    """Of a generation, one line where some of its matches have no strength; else none."""
    there = [name for name in MODALITIES if manifest.galleries[name].vectors]
    pairs = [f"{kind.removesuffix('s')}>{name}" for kind in there for name in there]
    missing = [pair for pair in pairs if pair not in manifest.calibration]
    if not missing:
        return []
    return [
        f"how strong a match is cannot be told for {', '.join(missing)}: fewer than "
        f"{MIN_PRODUCTS} products have both, or they hardly differ"
    ]


def _first_vectors(generation: Generation, modality: Modality, products: Ids) -> Vectors:
    """(n, d) of each product the row of the lowest primary key."""
    rows = generation.rows_of(modality, products)
    order = np.lexsort((rows.ids, rows.products))
    _, first = np.unique(rows.products[order], return_index=True)
    return np.asarray(rows.vectors[order[first]])


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
    if reach < LEAST_REACH:
        return None
    return Calibration(round(threshold, 6), round(LOGISTIC_REACH / reach, 6))
