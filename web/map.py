"""The map of the catalog as a page draws it: places, and a colour a kind of product."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from retrieval.common.products import category_steps
from retrieval.storage.entities import Card

from .site import Site

WIDTH, HEIGHT, MARGIN = 1_000, 640, 24
COLOURED_KINDS = 8


@dataclass(frozen=True)
class Point:
    """A product: `x` and `y` in the units of the drawing, `kind` the number of its colour."""

    key: str
    title: str
    x: float
    y: float
    kind: int
    photo: bool


@dataclass(frozen=True)
class Drawing:
    """Points, the kinds that have a colour of their own with how many there are of each, and how
    many are of other kinds."""

    points: list[Point]
    kinds: list[tuple[str, int]]
    others: int


def drawing(site: Site) -> Drawing:
    """Kinds are the first steps of categories, the most frequent first; others share a colour."""
    placed = site.searcher.catalog_map()
    counted = Counter(kind for kind in (_kind(card) for card, _, _ in placed) if kind)
    kinds = counted.most_common(COLOURED_KINDS)
    colour = {kind: number for number, (kind, _) in enumerate(kinds)}
    points = [
        Point(
            key=card.key,
            title=card.title or card.key,
            x=round(MARGIN + x * (WIDTH - 2 * MARGIN), 1),
            y=round(MARGIN + y * (HEIGHT - 2 * MARGIN), 1),
            kind=colour.get(_kind(card), COLOURED_KINDS),
            photo=bool(card.images),
        )
        for card, x, y in placed
    ]
    return Drawing(points, kinds, sum(point.kind == COLOURED_KINDS for point in points))


def _kind(card: Card) -> str:
    return next(iter(category_steps(card.category or "")), "")
