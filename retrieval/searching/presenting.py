"""Ranked products -> hits: cards, why each was found, how strongly, and whether that is weak."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from retrieval.common.vectors import Vectors
from retrieval.searching.encoding import Part
from retrieval.searching.query import Query
from retrieval.searching.ranking import Marks, Ranked
from retrieval.searching.results import Hit, Matched
from retrieval.searching.timing import Stages
from retrieval.storage.base import Generation
from retrieval.storage.entities import (
    Calibration,
    Card,
    Flags,
    ImageRow,
    Modality,
    Scores,
    TextRow,
)

WEAK_BELOW = 0.5


@dataclass(frozen=True)
class _BestRow:
    """A photo or a text of a product, as the query matches it."""

    row: ImageRow | TextRow
    cosine: float
    strength: float | None
    strongest: float | None

    @property
    def comparable(self) -> float:
        return -1.0 if self.strength is None else self.strength


def present(
    query: Query,
    ranked: Ranked,
    parts: Sequence[Part],
    composed: Mapping[Modality, Vectors],
    generation: Generation,
    photo_path: Callable[[str], str],
    stages: Stages,
) -> tuple[Hit, ...]:
    """The hits of the page that was asked for.

    Args:
        photo_path: a stored path of a photo -> one that can be opened from here.
    """
    page = slice(query.offset, query.offset + query.limit)
    products = ranked.products[page].tolist()
    with stages("catalog"):
        by_id = generation.cards(products)
    cards = [by_id[product] for product in products]
    with stages("search"):
        best = _best_rows(cards, ranked.marks, parts, composed, generation)
    ranks = itertools.count(query.offset + 1)
    return tuple(
        _hit(query, rank, card, float(score), best.get(card.id), ranked.marks, photo_path)
        for rank, card, score in zip(ranks, cards, ranked.scores[page], strict=False)
    )


def weak_products(
    query: Query,
    cards: Sequence[Card],
    marks: Marks,
    parts: Sequence[Part],
    composed: Mapping[Modality, Vectors],
    generation: Generation,
) -> frozenset[int]:
    """Those of these products that match no better than chance would."""
    best = _best_rows(cards, marks, parts, composed, generation)
    return frozenset(
        card.id for card in cards if _is_weak(query, card.id, best.get(card.id), marks)
    )


def strengths(
    parts: Sequence[Part],
    modality: Modality,
    cosines: Scores,
    met: Flags,
    calibration: Mapping[str, Calibration],
) -> tuple[Scores, Scores] | None:
    """(n,) mean of the parts' strengths, by their weights, and (n,) the strongest of them.

    The strongest is of the photos where there are any: what has but a word in common is not like
    the photo. What is, and has all words (`met`), meets these in full: a colour's own cosine says
    little. Parts that push away do not count. None where the catalog is too small to say.

    Args:
        cosines: (parts, n) of each part with each row.
        met: (n,) rows of products that have every word.
    """
    with_photo = any(part.kind == "image" and part.weight > 0 for part in parts)
    total, strongest, weights = np.zeros(len(met)), np.zeros(len(met)), 0.0
    photos_first = sorted(
        zip(parts, cosines, strict=True), key=lambda pair: pair[0].kind != "image"
    )
    for part, theirs in photos_first:
        pair = calibration.get(f"{part.kind}>{modality}")
        if part.weight > 0 and pair is not None:
            strength = pair.strengths(theirs)
            if with_photo and part.kind == "text":
                strength = np.where(met & (strongest >= WEAK_BELOW), 1.0, strength)
            total += part.weight * strength
            if part.kind == "image" or not with_photo:
                strongest = np.maximum(strongest, strength)
            weights += part.weight
    return (total / weights, strongest) if weights else None


def _best_rows(
    cards: Sequence[Card],
    marks: Marks,
    parts: Sequence[Part],
    composed: Mapping[Modality, Vectors],
    generation: Generation,
) -> dict[int, _BestRow]:
    """For each card the photo or text that the query matches best, and how strongly."""
    best: dict[int, _BestRow] = {}
    for modality, vector in composed.items():
        for product, row in _rows_by_product(
            cards, modality, marks, parts, vector, generation
        ).items():
            # Without calibration strengths of the two kinds cannot be compared: photos first.
            if product not in best or row.comparable > best[product].comparable:
                best[product] = row
    return best


def _rows_by_product(
    cards: Sequence[Card],
    modality: Modality,
    marks: Marks,
    parts: Sequence[Part],
    vector: Vectors,
    generation: Generation,
) -> dict[int, _BestRow]:
    """Of each card the photo, or text, that is nearest to the composed vector."""
    owned: list[tuple[int, ImageRow | TextRow]] = [
        (card.id, row)
        for card in cards
        for row in (card.images if modality == "images" else card.texts)
    ]
    if not owned:
        return {}
    ids = np.array([row.id for _, row in owned], dtype=np.int64)
    queries = [vector, *(part.vector for part in parts if part.vector is not vector)]
    cosines = generation.scores(modality, np.stack(queries), ids)
    met = np.array([product in marks.every_word for product, _ in owned])
    # One part alone is composed of itself.
    of_parts = cosines[-len(parts) :]
    judged = strengths(parts, modality, of_parts, met, generation.manifest.calibration)
    nearest: dict[int, _BestRow] = {}
    for number, (product, row) in enumerate(owned):
        cosine = float(cosines[0, number])
        if product in nearest and cosine <= nearest[product].cosine:
            continue
        strength, strongest = (
            (None, None) if judged is None else (float(judged[0][number]), float(judged[1][number]))
        )
        nearest[product] = _BestRow(row, cosine, strength, strongest)
    return nearest


def _hit(
    query: Query,
    rank: int,
    card: Card,
    score: float,
    best: _BestRow | None,
    marks: Marks,
    photo_path: Callable[[str], str],
) -> Hit:
    matched, strength = _match(card.id, best, marks, photo_path)
    return Hit.of(
        card,
        rank=rank,
        score=min(1.0, score),  # float16 makes some vectors a bit too long
        matched=matched,
        images=tuple(photo_path(image.path) for image in card.images),
        strength=None if strength is None else round(strength, 4),
        weak=_is_weak(query, card.id, best, marks),
    )


def _match(
    product: int, best: _BestRow | None, marks: Marks, photo_path: Callable[[str], str]
) -> tuple[Matched, float | None]:
    """Why a product was found, and how strongly."""
    if product == marks.by_id:
        return Matched("id"), 1.0
    if best is None:
        return Matched("words"), None
    strength = best.strength
    if product in marks.every_word and (strength is None or strength < WEAK_BELOW):
        return Matched("words"), strength
    if isinstance(best.row, ImageRow):
        return Matched("image", image=photo_path(best.row.path), cosine=best.cosine), strength
    text = best.row
    return Matched("text", field=text.field, text=text.content, cosine=best.cosine), strength


def _is_weak(query: Query, product: int, best: _BestRow | None, marks: Marks) -> bool:
    # Beside a photo a word in common is not enough: it is to be like the photo, too.
    by_words = product in marks.every_word and not (query.images or query.like)
    strongest = None if best is None else best.strongest
    return not by_words and strongest is not None and strongest < WEAK_BELOW
