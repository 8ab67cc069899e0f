"""A product as its source describes it, and what of a source was left out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

# The field of the text that a product's short values make.
ATTRIBUTES = "attributes"
# A value that is longer is a sentence, which belongs into the description.
MOST_WORDS_OF_A_VALUE = 5
LEAST_VALUES = 2
# What a column of yes and no says: nothing without the name of the column.
ANSWERS = frozenset({"yes", "no", "y", "n", "true", "false", "none", "null", "n/a", "na", "-"})
# Between the steps of a category, the surest sign first: a slash may also stand within a name.
STEP_SEPARATORS = (">", "|", "/")


@dataclass(frozen=True)
class ProductField:
    """A field that every catalog is asked for; what else a source says are attributes.

    Attributes:
        kind: of its values; photos are paths.
        weight: of its words in a search by words; None where these are not looked up.
        filtered: results can be filtered by it.
        facet: it is shown as what a search can be narrowed down by.
    """

    name: str
    kind: Literal["text", "number", "photos"] = "text"
    weight: float | None = None
    filtered: bool = False
    facet: bool = False


PRODUCT_FIELDS = (
    ProductField("id", weight=8.0, filtered=True),
    ProductField("title", weight=4.0, filtered=True),
    ProductField("description", weight=1.0),
    ProductField("image", "photos"),
    ProductField("category", weight=2.0, filtered=True, facet=True),
    ProductField("brand", weight=2.0, filtered=True, facet=True),
    ProductField("price", "number", filtered=True),
)


@dataclass(frozen=True)
class Reject:
    """Something of a source that was left out, alone.

    Attributes:
        row: as a spreadsheet counts, the header being row 1; None where there are no rows.
        key: the product's id, where it could be read.
        field: the column, or `row` where the row as a whole is unusable.
        value: what stood there, shortened.
        reason: one line, with what to do.
    """

    row: int | None
    key: str | None
    field: str
    value: str
    reason: str

    def __post_init__(self) -> None:
        # What could not be decoded must still be printable, and fit into a file of UTF-8.
        for name in ("key", "field", "value"):
            text = getattr(self, name)
            if text is not None:
                object.__setattr__(self, name, text.encode("utf-8", "replace").decode())

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class ProductRecord:
    """A product as its source describes it, cleaned.

    Attributes:
        images: as the source writes them, to be found below `base`.
        rejects: what was left out of this row; the product itself is good.
        row_hash: hex SHA-256 of all that the source says of it; equal rows, equal hashes.
    """

    key: str
    base: Path
    title: str = ""
    description: str = ""
    category: str | None = None
    brand: str | None = None
    price: float | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    row: int | None = None
    rejects: tuple[Reject, ...] = ()
    row_hash: str = field(default="")

    def __post_init__(self) -> None:
        if not self.row_hash:
            object.__setattr__(self, "row_hash", _hash_row(self))

    @property
    def texts(self) -> list[tuple[str, str]]:
        """The texts to embed, as (field, content), none twice."""
        texts = [("title", self.title)] if self.title else []
        if self.description and self.description != self.title:
            texts.append(("description", self.description))
        values = self._short_values()
        if len(values) >= LEAST_VALUES:
            texts.append((ATTRIBUTES, ", ".join(values)))
        return texts

    def _short_values(self) -> list[str]:
        """What kind of thing it is, in the words of its columns: `Lamps, black, coated steel`.

        Of a category's path the first step and the last: whom it is for, and what it is.
        Titles often keep quiet about colour and material, and sentences about them say much else.
        Values with digits (sizes, article numbers) mean little to a model of language.
        """
        steps = category_steps(self.category or "")
        values = (text for value in self.attributes.values() if (text := _listed(value)))
        words = (*steps[:1], *steps[-1:], *values)
        return list(dict.fromkeys(value for value in words if value and _is_short_word(value)))


def category_steps(text: str) -> tuple[str, ...]:
    """The steps of a category's path: `Men > Tops` and `Men/Tops` are both `Men`, `Tops`.

    A sign splits only where none before it in STEP_SEPARATORS does: `Audio/Video > Cables` is two
    steps, as who writes `>` between steps means a slash as part of a name. What says that there
    is no category, `N/A`, is one step.
    """
    if text.strip().lower() in ANSWERS:
        return (text.strip(),)
    separator = next((sign for sign in STEP_SEPARATORS if sign in text), None)
    steps = (step.strip() for step in text.split(separator)) if separator else (text.strip(),)
    return tuple(step for step in steps if step)


def _listed(value: Any) -> str:
    """A text as it is, several with commas between; nothing for what is more than texts."""
    values = value if isinstance(value, list) else [value]
    return ", ".join(values) if all(isinstance(each, str) for each in values) else ""


def _is_short_word(value: str) -> bool:
    if value.lower() in ANSWERS or any(c.isdigit() for c in value):
        return False
    return len(value.split()) <= MOST_WORDS_OF_A_VALUE


def _hash_row(record: ProductRecord) -> str:
    values = [
        getattr(record, field.name)
        for field in PRODUCT_FIELDS
        if field.name != "id" and field.kind != "photos"
    ]
    canonical = json.dumps([values, record.attributes, record.images], sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()
