"""A search as the address bar, a form or a program writes it -> what the engine answers."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image
from pydantic import BaseModel, Field, field_validator

from retrieval.errors import QueryError
from retrieval.results import Hit, SearchResult
from web.site import Site

MAX_WORDS = 2_000
FACET_DEPTH = 200
FACETS = ("category", "brand")
MAX_VALUES = 12
MAX_KINDS = 24
HELD_BY = 0.5
SORTS = ("best", "price", "-price")


class Asked(BaseModel):
    """Parameters of a search, all optional; one of `q`, `like` or a photo must be there."""

    q: str = Field("", max_length=MAX_WORDS, description="words")
    minus: str = Field("", max_length=MAX_WORDS, description="words for what is not wanted")
    like: list[str] = Field([], max_length=8, description="ids of products to be like")
    unlike: list[str] = Field([], max_length=8, description="ids of products to keep away from")
    mode: str = Field("", description="vector, lexical or hybrid; empty chooses")
    scope: str = Field("products", alias="in", description="products, images or texts")
    category: list[str] = Field([], max_length=50)
    brand: list[str] = Field([], max_length=50)
    attribute: list[str] = Field([], max_length=50, description="NAME=VALUE of other columns")
    min_price: float | None = Field(None, ge=0, allow_inf_nan=False)
    max_price: float | None = Field(None, ge=0, allow_inf_nan=False)
    balance: int = Field(50, ge=0, le=100, description="0: the photo alone counts; 100: the words")
    crop: str = Field("", max_length=40, description="x,y,width,height of the photo in percent")
    limit: int = Field(20, ge=1, le=200)
    offset: int = Field(0, ge=0, le=1_000_000)

    @field_validator("min_price", "max_price", mode="before")
    @classmethod
    def empty_is_none(cls, value: Any) -> Any:
        """A form sends an empty field where nothing was typed."""
        return None if value == "" else value

    @property
    def where(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            name: values
            for name, values in (("category", self.category), ("brand", self.brand))
            if any(values)
        }
        bounds = {
            sign: bound
            for sign, bound in ((">=", self.min_price), ("<=", self.max_price))
            if bound is not None
        }
        for one in self.attribute:
            name, equals, value = one.partition("=")
            if not (name and equals):
                raise QueryError(f"attribute {one[:100]!r} is not NAME=VALUE")
            found[name] = [*found.get(name, []), value]
        return {**found, **({"price": bounds} if bounds else {})}


@dataclass(frozen=True)
class Facet:
    """A field with the values of the best results, and how many have each.

    Attributes:
        attribute: it is a column of the catalog's own, asked for as `attribute=NAME=VALUE`.
    """

    name: str
    values: tuple[tuple[str, int], ...]
    attribute: bool = False


def search(site: Site, asked: Asked, photo: bytes | None = None, **changes: Any) -> SearchResult:
    """Raises what `Searcher.search` raises."""
    options: dict[str, Any] = {
        "text": asked.q.strip() or None,
        "minus": asked.minus.strip() or None,
        "image": None if photo is None else cropped(photo, asked.crop),
        "like": [key for key in asked.like if key] or None,
        "unlike": [key for key in asked.unlike if key] or None,
        "where": asked.where,
        "scope": asked.scope,
        "mode": asked.mode or None,
        "limit": asked.limit,
        "offset": asked.offset,
    }
    if photo is not None and options["text"]:
        options["weights"] = {"text": asked.balance / 50, "image": 2 - asked.balance / 50}
    return site.searcher.search(**{**options, **changes})


def facets_of(hits: Sequence[Hit]) -> list[Facet]:
    """Counted over the hits given; fields that tell nothing apart are left out."""
    found = []
    for name in FACETS:
        counts = Counter(getattr(hit, name) for hit in hits if getattr(hit, name))
        if len(counts) > 1:
            values = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_VALUES]
            found.append(Facet(name, tuple(values)))
    names = Counter(name for hit in hits for name in hit.attributes if "=" not in name)
    for name, held in names.items():
        counts = Counter(str(hit.attributes[name]) for hit in hits if name in hit.attributes)
        # One value a product, as a size or a number is, leads nowhere.
        if held >= HELD_BY * len(hits) and 1 < len(counts) <= MAX_KINDS:
            found.append(Facet(name, tuple(counts.most_common(MAX_VALUES)), attribute=True))
    return found


def cropped(photo: bytes, crop: str) -> bytes | Image.Image:
    """The part of an uploaded photo that `crop` names; raises QueryError."""
    if not crop:
        return photo
    try:
        left, top, width, height = (float(part) for part in crop.split(","))
    except ValueError:
        raise QueryError("crop is x,y,width,height in percent of the photo") from None
    inside = 0 <= left <= 99 and 0 <= top <= 99 and 1 <= width <= 100 and 1 <= height <= 100
    if not inside:
        raise QueryError("crop lies outside of the photo; its numbers are percent")
    with Image.open(io.BytesIO(photo), formats=("JPEG",)) as image:
        box = (
            round(image.width * left / 100),
            round(image.height * top / 100),
            min(image.width, round(image.width * (left + width) / 100)),
            min(image.height, round(image.height * (top + height) / 100)),
        )
        if box[2] - box[0] < 2 or box[3] - box[1] < 2:
            raise QueryError("crop is too small a part of the photo")
        return image.crop(box)
