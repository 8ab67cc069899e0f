"""A row of a source -> a `ProductRecord`, or a `Reject` that says why not."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any, Self

from retrieval.common.prices import Mark, NoPrice, decimal_mark_of, parse_price, read_price
from retrieval.common.products import ProductRecord, Reject
from retrieval.common.text import is_unicode
from retrieval.images.spelling import is_file_address
from retrieval.sources.cells import (
    BYTES_NO_TEXT,
    CONTROL,
    Unreadable,
    is_lost,
    key_text,
    number_of,
    plain_text,
    read_photos,
    split_images,
    title_from_path,
    unescaped,
)
from retrieval.sources.cells import text_of as _text

__all__ = [
    "EMPTY_ROW",
    "MAX_KEY_CHARACTERS",
    "RowReader",
    "parse_price",
    "plain_text",
    "split_images",
    "title_from_path",
]

EMPTY_ROW = "the row is empty; delete it or fill it in"
MAX_KEY_CHARACTERS = 200
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://|data:", re.IGNORECASE)


@dataclass(frozen=True)
class RowReader:
    """Turns the cells of rows into records, by one mapping of fields to columns.

    Attributes:
        decimal_mark: of the column of prices, where it is known.
        told: columns whose bytes were said to be left out: once is enough.
    """

    mapping: Mapping[str, list[str]]
    base: Path
    max_cell_characters: int
    decimal_mark: Mark | None = None
    told: set[str] = field(default_factory=set, compare=False)

    def after_a_look(self, sample: Iterable[Mapping[str, Any]]) -> Self:
        """The same, knowing how the prices of these rows are written."""
        mark = decimal_mark_of(
            _text(price) for price in map(self._price_cell, sample) if number_of(price) is None
        )
        return replace(self, decimal_mark=mark, told=set())

    def read(self, row: int, cells: Mapping[str, Any]) -> ProductRecord | Reject:
        """A record with what is good of a row, or a Reject where nothing is."""
        if all(_text(value) == "" for value in cells.values()):
            return Reject(row, None, "row", "", EMPTY_ROW)
        problem = self._unusable_cell(cells)
        if problem is not None:
            return Reject(row, self._key_or_none(cells), *problem)
        rejects: list[Reject] = []
        key = self._key(cells)
        if len(key) > MAX_KEY_CHARACTERS:
            return Reject(
                row, None, "id", _short(key), f"id is longer than {MAX_KEY_CHARACTERS} characters"
            )
        unreadable = self._unreadable(row, key, cells)
        images = self._images(row, key, cells, rejects)
        title = plain_text(self._first(cells, "title")) or self._title_from(images)
        description = plain_text(self._first(cells, "description"))
        price = self._price(row, key, cells, rejects)
        rejects += unreadable
        if not (title or description or images):
            if unreadable:
                return unreadable[0]
            first = rejects[0].reason + "; " if rejects else ""
            return Reject(
                row, key, "row", "", f"{first}the row has no title, no description and no image"
            )
        mapped = {column for columns in self.mapping.values() for column in columns}
        return ProductRecord(
            key=key,
            title=title,
            description=description,
            category=unescaped(self._first(cells, "category")) or None,
            brand=unescaped(self._first(cells, "brand")) or None,
            price=price,
            attributes=_attributes(cells, mapped),
            images=tuple(images),
            base=self.base,
            row=row,
            rejects=tuple(rejects),
        )

    def _unusable_cell(self, cells: Mapping[str, Any]) -> tuple[str, str, str] | None:
        for column, value in cells.items():
            if not is_unicode(column):
                return _short(column), "", "the column's name is not valid UTF-8"
            text = _text(value)
            if len(text) > self.max_cell_characters:
                return (
                    column,
                    _short(text),
                    (
                        f"the cell has {len(text):,} characters, more than the "
                        f"{self.max_cell_characters:,} allowed; is a quote missing?"
                    ),
                )
            if not is_unicode(text):
                return column, _short(text), "the cell is not valid UTF-8; save the file as UTF-8"
            if "\x00" in text:
                return column, _short(text), "the cell holds a NUL character; export it again"
        for column in self.mapping.get("id", ()):
            # Under an id that is made up it would be another product each time it can be read.
            value = cells.get(column)
            if isinstance(value, Unreadable) or is_lost(value):
                reason = value.reason if isinstance(value, Unreadable) else "holds no text"
                return column, "", f"the cell {reason}"
        return None

    def _unreadable(self, row: int, key: str, cells: Mapping[str, Any]) -> list[Reject]:
        """Cells that are left out, alone; those that hold bytes are said once a column."""
        rejects: list[Reject] = []
        photos = self.mapping.get("image", ())
        for column, value in cells.items():
            if isinstance(value, Unreadable):
                rejects.append(Reject(row, key, column, "", f"the cell {value.reason}"))
            elif column not in photos and column not in self.told and is_lost(value):
                self.told.add(column)
                rejects.append(Reject(row, key, column, "", f"the cell {BYTES_NO_TEXT}"))
        return rejects

    def _key_or_none(self, cells: Mapping[str, Any]) -> str | None:
        key = CONTROL.sub("", self._first(cells, "id"))[:MAX_KEY_CHARACTERS]
        return key.encode("utf-8", "replace").decode() or None

    def _key(self, cells: Mapping[str, Any]) -> str:
        key = CONTROL.sub("", self._first(cells, "id"))
        if key:
            return key
        # Without an id the same title and photo are the same product in the next run, too.
        values = [self._first(cells, name) for name in ("title", "image", "description")]
        return "auto-" + hashlib.sha256(json.dumps(values).encode()).hexdigest()[:12]

    def _first(self, cells: Mapping[str, Any], name: str) -> str:
        for column in self.mapping.get(name, ()):
            value = cells.get(column)
            text = (key_text(value) if name == "id" else _text(value)).strip()
            if text:
                return text
        return ""

    def _images(
        self, row: int, key: str, cells: Mapping[str, Any], rejects: list[Reject]
    ) -> list[str]:
        images: list[str] = []
        for column in self.mapping.get("image", ()):
            cell = cells.get(column)
            paths, problems = read_photos(cell)
            for text, reason in problems:
                rejects.append(Reject(row, key, "image", _short(text), reason))
            for path in paths:
                elsewhere = _ADDRESS.match(path) and not is_file_address(path)
                if not isinstance(cell, PurePath) and elsewhere:
                    reason = "is a web address; download the photo and give its path"
                    rejects.append(Reject(row, key, "image", _short(path), reason))
                elif path not in images:
                    images.append(path)
        return images

    def _price(
        self, row: int, key: str, cells: Mapping[str, Any], rejects: list[Reject]
    ) -> float | None:
        cell = self._price_cell(cells)
        text, number = _text(cell).strip(), number_of(cell)
        if not text:
            return None
        try:
            if number is None:
                return read_price(text, self.decimal_mark)
            if math.isfinite(number) and number >= 0:
                return number
            reason = "is not a price"
        except NoPrice as problem:
            reason = str(problem)
        reason += "; the product is indexed without one"
        rejects.append(Reject(row, key, "price", _short(text), reason))
        return None

    def _price_cell(self, cells: Mapping[str, Any]) -> Any:
        values = (cells.get(column) for column in self.mapping.get("price", ()))
        return next((value for value in values if _text(value).strip()), None)

    @staticmethod
    def _title_from(images: list[str]) -> str:
        return title_from_path(images[0]) if images else ""


def _attributes(cells: Mapping[str, Any], mapped: set[str]) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for column, value in cells.items():
        if column in mapped:
            continue
        for name, leaf in _flatten(column, value):
            kept = _kept(leaf)
            if kept not in ("", [], {}):
                attributes[name] = kept
    return attributes


def _kept(value: Any) -> Any:
    """A value as JSON can hold it: of lists and objects, what is not empty."""
    if isinstance(value, list | tuple):
        return [kept for item in value if (kept := _kept(item)) not in ("", [], {})]
    if isinstance(value, dict):
        items = ((str(key), _kept(item)) for key, item in value.items())
        return {key: kept for key, kept in items if kept not in ("", [], {})}
    # Infinity is no JSON: SQLite could not read the row again.
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return unescaped(_text(value).strip())


def _flatten(name: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in _flatten(f"{name}.{key}", item)]
    if isinstance(value, list | tuple):
        return [(name, _kept(value))]
    return [(name, value)]


def _short(text: str) -> str:
    text = text.encode("utf-8", "replace").decode().replace("\x00", "\\0")
    return text if len(text) <= 120 else text[:117] + "..."
