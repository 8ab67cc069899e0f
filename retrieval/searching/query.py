"""What is asked: texts, photos, products, what to leave out, filters, and which page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack, get_args

from PIL import Image

from retrieval.common.text import is_unicode
from retrieval.errors import QueryError
from retrieval.storage.filters import Filter, Where, filters_from

Scope = Literal["products", "images", "texts"]
Mode = Literal["vector", "lexical", "hybrid"]
ImageInput = str | Path | bytes | Image.Image

WEIGHTS = {"text": 1.0, "image": 1.0, "like": 1.0, "minus": 0.5}
MAX_TEXT = 10_000
MAX_LIMIT = 1_000
MAX_OFFSET = 1_000_000
MAX_PARTS = 16


@dataclass(frozen=True)
class Query:
    """A question, checked. Build it with `make_query`.

    Attributes:
        images: path of a file, its bytes, or a picture.
        like: ids of products; unlike: of those that what is wanted is not like.
        weights: of each kind of part; see WEIGHTS for what is not given.
        where: conditions that a facet can be widened by; within: those that always hold.
        scope: which vectors may answer: those of photos, of texts, or both.
        limit: products on the page, 1 to MAX_LIMIT.
        offset: products before it, 0 to MAX_OFFSET.
        facets: count what the search can be narrowed down by, too.
    """

    texts: tuple[str, ...] = ()
    images: tuple[ImageInput, ...] = ()
    like: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    where: tuple[Filter, ...] = ()
    within: tuple[Filter, ...] = ()
    scope: Scope = "products"
    mode: Mode = "hybrid"
    limit: int = 20
    offset: int = 0
    facets: bool = False

    @property
    def filters(self) -> tuple[Filter, ...]:
        """All conditions that a product must meet."""
        return self.where + self.within

    @property
    def text(self) -> str:
        """All words together, as the full-text index is asked."""
        return " ".join(self.texts)

    def as_dict(self) -> dict[str, Any]:
        """What was asked, as JSON; photos are named, not included."""
        return {
            "text": list(self.texts),
            "image": [_image_name(image) for image in self.images],
            "like": list(self.like),
            "minus": list(self.minus),
            "unlike": list(self.unlike),
            "weights": dict(self.weights),
            "where": [str(condition) for condition in self.filters],
            "in": self.scope,
            "limit": self.limit,
            "offset": self.offset,
        }


class SearchOptions(TypedDict, total=False):
    """What a search may be given beside its text; all of it is optional.

    Attributes:
        image: path, bytes or picture; several are averaged, as several texts are.
        like: id of a product of the catalog, or several; they are not among the results.
        minus: words for what is not wanted.
        unlike: id of a product that what is wanted is not like; it is not among the results.
        weights: `{"text": 1, "image": 0.5}`; see WEIGHTS for what is not given.
        where: `{"category": "Chairs", "price": {"<": 100}}` or `["price<100"]`.
        within: as `where`; facets are counted within it, even its own field's.
        scope: `products`, `images` or `texts`: which vectors may answer.
        mode: `vector`, `lexical` or `hybrid`; None chooses: hybrid where there are words and the
            scope has texts, else vector.
        limit: products on the page, 20; offset: products before it, 0.
        facets: count what the search can be narrowed down by, too.
    """

    image: ImageInput | Sequence[ImageInput] | None
    like: str | Sequence[str] | None
    minus: str | Sequence[str] | None
    unlike: str | Sequence[str] | None
    weights: Mapping[str, float] | str | None
    where: Where
    within: Where
    scope: str
    mode: str | None
    limit: int
    offset: int
    facets: bool


def make_query(text: str | Sequence[str] | None = None, **options: Unpack[SearchOptions]) -> Query:
    """A checked query; texts, photos, products and what is unwanted may be one or several.

    Raises:
        QueryError: nothing is asked, or a part is out of range; says which.
        TypeError: there is no such option.
    """
    unknown = [name for name in options if name not in SearchOptions.__annotations__]
    if unknown:
        raise TypeError(f"a search has no option {unknown[0]!r}")
    scope, mode = options.get("scope", "products"), options.get("mode")
    limit, offset = options.get("limit", 20), options.get("offset", 0)
    texts = _strings(text, "text")
    images = _images(options.get("image"))
    likes = _strings(options.get("like"), "like")
    minuses = _strings(options.get("minus"), "minus")
    unlikes = _strings(options.get("unlike"), "unlike")
    if not (texts or images or likes):
        raise QueryError("nothing is asked; give words, a photo, or a product to be like")
    if len(texts) + len(images) + len(likes) + len(minuses) + len(unlikes) > MAX_PARTS:
        raise QueryError(f"a query has at most {MAX_PARTS} parts")
    if scope not in get_args(Scope):
        raise QueryError(f"in {scope!r}: one of {', '.join(get_args(Scope))}")
    if mode is not None and mode not in get_args(Mode):
        raise QueryError(f"mode {mode!r}: one of {', '.join(get_args(Mode))}")
    if mode == "lexical" and not texts:
        raise QueryError("mode lexical needs words; give a text")
    if mode == "lexical" and (images or likes):
        raise QueryError(
            "mode lexical is for words alone; leave out photos and --like, or the mode"
        )
    if not 1 <= limit <= MAX_LIMIT:
        raise QueryError(f"limit is 1 to {MAX_LIMIT}, not {limit}")
    if not 0 <= offset <= MAX_OFFSET:
        raise QueryError(f"offset is 0 to {MAX_OFFSET}, not {offset}")
    with_words = bool(texts) and scope != "images"
    return Query(
        texts=texts,
        images=images,
        like=likes,
        minus=minuses,
        unlike=unlikes,
        weights={**WEIGHTS, **_weights(options.get("weights"))},
        where=filters_from(options.get("where")),
        within=filters_from(options.get("within")),
        scope=scope,  # type: ignore[arg-type]
        mode=mode if mode == "lexical" else (mode or "hybrid") if with_words else "vector",  # type: ignore[arg-type]
        limit=limit,
        offset=offset,
        facets=options.get("facets", False),
    )


def parse_weights(text: str) -> dict[str, float]:
    """`text=1,image=0.5` -> {"text": 1.0, "image": 0.5}; raises QueryError."""
    weights: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        try:
            weights[name.strip()] = float(value)
        except ValueError:
            raise QueryError(f"--weights: {part!r} is not KIND=NUMBER") from None
    return weights


def _weights(weights: Mapping[str, float] | str | None) -> dict[str, float]:
    parsed = parse_weights(weights) if isinstance(weights, str) else dict(weights or {})
    for name, value in parsed.items():
        if name not in WEIGHTS:
            raise QueryError(f"weight {name!r} is unknown; kinds: {', '.join(WEIGHTS)}")
        if not (math.isfinite(value) and 0 <= value <= 100):
            raise QueryError(f"weight {name}={value} is not between 0 and 100")
    return parsed


def _strings(value: str | Sequence[str] | None, name: str) -> tuple[str, ...]:
    parts = [value] if isinstance(value, str) else list(value or ())
    kept = tuple(part.strip() for part in parts if part and part.strip())
    for part in kept:
        if len(part) > MAX_TEXT:
            raise QueryError(f"{name} has {len(part):,} characters, more than {MAX_TEXT:,}")
        if not is_unicode(part):
            raise QueryError(f"{name} is not valid Unicode")
    return kept


def _images(value: ImageInput | Sequence[ImageInput] | None) -> tuple[ImageInput, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str | Path | bytes | Image.Image) else tuple(value)


def _image_name(image: ImageInput) -> str:
    return str(image) if isinstance(image, str | Path) else "(picture)"
