"""What a search answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

from retrieval.searching.facets import Facets
from retrieval.storage.entities import Card


@dataclass(frozen=True)
class Matched:
    """Why a product was found.

    Attributes:
        kind: `image`, `text`, `words` (found by its exact words alone) or `id` (its id was typed).
        image: path of the photo that matched, where one did.
        text: the text that matched, where one did, and the `field` that it stands in.
        cosine: of the query with it, -1 to 1; None for words.
    """

    kind: str
    image: str | None = None
    field: str | None = None
    text: str | None = None
    cosine: float | None = None


@dataclass(frozen=True)
class Hit:
    """A product on a page of results.

    Attributes:
        rank: 1 is the best of all pages.
        id: as the source names the product.
        score: what the ranking went by, 0 to 1 in hybrid and lexical mode, a cosine in vector
            mode over one kind of vectors; comparable within one answer only. 0 is the last of what
            was weighed, and all that comes after it.
        image: path of the photo that matched, else of the first one.
        strength: 0 to 1, calibrated on the catalog; None where it is too small for that.
        weak: no better than chance would give: show it apart.
    """

    rank: int
    id: str
    title: str
    score: float
    image: str | None
    matched: Matched
    category: str | None
    brand: str | None
    price: float | None
    description: str
    attributes: dict[str, Any]
    images: tuple[str, ...]
    strength: float | None
    weak: bool

    @classmethod
    def of(
        cls,
        card: Card,
        *,
        rank: int,
        score: float,
        matched: Matched,
        images: tuple[str, ...],
        strength: float | None,
        weak: bool,
    ) -> Hit:
        """A product's card on a page of results; `images` as they can be opened from here."""
        return cls(
            rank=rank,
            score=score,
            image=matched.image or (images[0] if images else None),
            matched=matched,
            images=images,
            strength=strength,
            weak=weak,
            **_shown(card),
        )

    def as_dict(self) -> dict[str, Any]:
        matched = {k: v for k, v in vars(self.matched).items() if v is not None}
        return {**vars(self), "matched": matched, "images": list(self.images)}


@dataclass(frozen=True)
class Product:
    """All that is known of a product.

    Attributes:
        images: paths of its photos, or their addresses where a server told of it.
        words: those that it goes by, the most telling first.
    """

    id: str
    title: str
    description: str
    category: str | None
    brand: str | None
    price: float | None
    attributes: dict[str, Any]
    images: tuple[str, ...]
    words: tuple[str, ...]

    @classmethod
    def of(cls, card: Card, images: tuple[str, ...], words: Sequence[str] = ()) -> Product:
        """A product's card; `images` as they can be opened from here."""
        return cls(images=images, words=tuple(words), **_shown(card))


def _shown(card: Card) -> dict[str, Any]:
    """What hits and products show of a card as it is."""
    return {
        "id": card.key,
        "title": card.title,
        "description": card.description,
        "category": card.category,
        "brand": card.brand,
        "price": card.price,
        "attributes": card.attributes,
    }


@dataclass(frozen=True)
class SearchResult(Sequence[Hit]):
    """A page of hits; a sequence of them.

    Attributes:
        total: products that the pages hold altogether.
        generation: that answered, as one whole.
        stages_ms: of `took_ms`, what went to each of `retrieval.searching.timing.STAGES`.
        facets: what the search can be narrowed down by; None where that was not asked for.
    """

    query: dict[str, Any]
    mode: str
    took_ms: float
    stages_ms: dict[str, float]
    total: int
    generation: int
    results: tuple[Hit, ...]
    facets: Facets | None = None

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    @overload
    def __getitem__(self, index: int) -> Hit: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Hit]: ...

    def __getitem__(self, index: int | slice) -> Hit | Sequence[Hit]:
        return self.results[index]

    def as_dict(self) -> dict[str, Any]:
        shown = {**vars(self), "results": [hit.as_dict() for hit in self.results]}
        facets = shown.pop("facets")
        return shown if facets is None else {**shown, "facets": facets.as_list()}
