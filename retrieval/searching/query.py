"""What is asked: texts, photos, products, what to leave out, filters, and which page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

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
        scope: which vectors may answer: those of photos, of texts, or both.
        limit: products on the page, 1 to MAX_LIMIT.
        offset: products before it, 0 to MAX_OFFSET.
    """

    texts: tuple[str, ...] = ()
    images: tuple[ImageInput, ...] = ()
    like: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()
    unlike: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    where: tuple[Filter, ...] = ()
    scope: Scope = "products"
    mode: Mode = "hybrid"
    limit: int = 20
    offset: int = 0

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
            "where": [str(one) for one in self.where],
            "in": self.scope,
            "limit": self.limit,
            "offset": self.offset,
        }


def make_query(
    *,
    text: str | Sequence[str] | None = None,
    image: ImageInput | Sequence[ImageInput] | None = None,
    like: str | Sequence[str] | None = None,
    minus: str | Sequence[str] | None = None,
    unlike: str | Sequence[str] | None = None,
    weights: Mapping[str, float] | str | None = None,
    where: Where = None,
    scope: str = "products",
    mode: str | None = None,
    limit: int = 20,
    offset: int = 0,
) -> Query:
    """A checked query; each of the first five takes one or several.

    `mode` None is hybrid where there are words and the scope has texts, else vector.

    Raises:
        QueryError: nothing is asked, or a part is out of range; says which.
    """
    texts = _strings(text, "text")
    images = _images(image)
    likes = _strings(like, "like")
    minuses = _strings(minus, "minus")
    unlikes = _strings(unlike, "unlike")
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
        weights={**WEIGHTS, **_weights(weights)},
        where=filters_from(where),
        scope=scope,  # type: ignore[arg-type]
        mode=mode if mode == "lexical" else (mode or "hybrid") if with_words else "vector",  # type: ignore[arg-type]
        limit=limit,
        offset=offset,
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
    given = parse_weights(weights) if isinstance(weights, str) else dict(weights or {})
    for name, value in given.items():
        if name not in WEIGHTS:
            raise QueryError(f"weight {name!r} is unknown; kinds: {', '.join(WEIGHTS)}")
        if not (math.isfinite(value) and 0 <= value <= 100):
            raise QueryError(f"weight {name}={value} is not between 0 and 100")
    return given


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
