"""A search as the address bar, a form or a program writes it -> what the engine answers."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

from PIL import Image
from pydantic import BaseModel, Field, field_validator
from pydantic_core import PydanticCustomError

from retrieval.common.prices import MAX_PRICE_CHARACTERS, NoPrice, read_price
from retrieval.errors import QueryError
from retrieval.searching.results import SearchResult
from retrieval.storage.filters import Filter, filters_from, parse_equality

from .site import Site
from .wording import shown

MAX_WORDS = 2_000
SORTS = ("best", "price", "-price")


Words = Annotated[str, Field(max_length=MAX_WORDS)]


class Described(BaseModel):
    """A model whose schema is made once: the library asks for it with each request, and making it
    takes longer than a search."""

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        if args or options:
            return super().model_json_schema(*args, **options)
        if "_schema" not in cls.__dict__:
            cls._schema = super().model_json_schema()
        return cls._schema

    _schema: ClassVar[dict[str, Any]]


class SearchParams(Described):
    """Parameters of a search, all optional; one of `q`, `like` or a photo must be there."""

    q: list[Words] = Field([], max_length=8, description="words; several are averaged")
    minus: list[Words] = Field([], max_length=8, description="words for what is not wanted")
    like: list[str] = Field([], max_length=8, description="ids of products to be like")
    unlike: list[str] = Field([], max_length=8, description="ids of products to keep away from")
    mode: str = Field("", description="vector, lexical or hybrid; empty chooses")
    scope: str = Field("products", alias="in", description="products, images or texts")
    category: list[str] = Field([], max_length=50, description="any of these")
    brand: list[str] = Field([], max_length=50, description="any of these")
    attribute: list[str] = Field([], max_length=50, description="NAME=VALUE of other columns")
    where: list[Words] = Field([], max_length=50, description="conditions, as in price<100")
    min_price: float | None = Field(None, ge=0, allow_inf_nan=False)
    max_price: float | None = Field(None, ge=0, allow_inf_nan=False)
    weights: str = Field("", max_length=200, description="such as text=1,image=0.5")
    balance: int = Field(50, ge=0, le=100, description="0: the photo alone counts; 100: the words")
    crop: str = Field("", max_length=40, description="x,y,width,height of the photo in percent")
    limit: int = Field(20, ge=1, le=200, description="how many products")
    offset: int = Field(0, ge=0, le=1_000_000, description="after so many of the best")
    facets: bool = Field(False, description="1: count what it can be narrowed down by, too")

    @field_validator("min_price", "max_price", mode="before")
    @classmethod
    def as_people_type(cls, value: Any) -> Any:
        """`49,90` and `50 €` are prices; a form sends an empty field where nothing was typed."""
        if not isinstance(value, str):
            return value
        if not value.strip():
            return None
        if len(value) <= MAX_PRICE_CHARACTERS:
            # What a program writes: 1.299 is a number there, whatever people mean by it.
            with contextlib.suppress(ValueError):
                return float(value)
        try:
            return read_price(value)
        except NoPrice as problem:
            raise PydanticCustomError(
                "price",
                "{value} {problem}; give a number such as 49.90",
                {"value": shown(value), "problem": str(problem)},
            ) from None

    @property
    def words(self) -> str:
        """What stands in the box."""
        return " ".join(self.q).strip()

    @property
    def filters(self) -> tuple[Filter, ...]:
        """Conditions on the fields that facets have; raises QueryError where one is none."""
        wanted: dict[str, Any] = {
            name: values
            for name, values in (("category", self.category), ("brand", self.brand))
            if any(values)
        }
        bounds = {
            sign: bound
            for sign, bound in ((">=", self.min_price), ("<=", self.max_price))
            if bound is not None
        }
        for pair in self.attribute:
            name_and_value = parse_equality(pair)
            if name_and_value is None:
                raise QueryError(f"attribute {pair[:100]!r} is not NAME=VALUE")
            name, value = name_and_value
            wanted[name] = [*wanted.get(name, []), value]
        if bounds:
            wanted["price"] = bounds
        return filters_from(wanted)

    @property
    def within(self) -> tuple[Filter, ...]:
        """Conditions as text, which hold for facets, too."""
        return filters_from(self.where)


def search(
    site: Site, asked: SearchParams, photos: Sequence[bytes] = (), **changes: Any
) -> SearchResult:
    """Raises what `Searcher.search` raises."""
    options: dict[str, Any] = {
        "text": asked.q,
        "minus": asked.minus,
        "image": [cropped(photo, asked.crop) for photo in photos],
        "like": asked.like,
        "unlike": asked.unlike,
        "where": asked.filters,
        "within": asked.within,
        "facets": asked.facets,
        "weights": asked.weights,
        "scope": asked.scope,
        "mode": asked.mode or None,
        "limit": asked.limit,
        "offset": asked.offset,
    }
    if photos and asked.words and not asked.weights:
        options["weights"] = {"text": asked.balance / 50, "image": 2 - asked.balance / 50}
    return site.search(**{**options, **changes})


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
