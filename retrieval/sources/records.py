"""A row of a source -> a `ProductRecord`, or a `Reject` that says why not."""

from __future__ import annotations

import hashlib
import html
import json
import math
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import nh3
from price_parser import Price

from retrieval.common.products import ProductRecord, Reject
from retrieval.common.text import is_unicode

EMPTY_ROW = "the row is empty; delete it or fill it in"
MAX_KEY_CHARACTERS = 200
MAX_PRICE_CHARACTERS = 40
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_PRICE = re.compile(r"\s*[^\d\s-]{0,4}\s*\d[\d.,'\s\u00a0]*[^\d\s]{0,4}\s*")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://|data:", re.IGNORECASE)
_HASHLIKE = re.compile(r"[0-9a-f-]{16,}", re.IGNORECASE)


@dataclass(frozen=True)
class RowReader:
    """Turns the cells of rows into records, by one mapping of fields to columns."""

    mapping: Mapping[str, list[str]]
    base: Path
    max_cell_characters: int

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
        images = self._images(row, key, cells, rejects)
        title = plain_text(self._first(cells, "title")) or self._title_from(images)
        description = plain_text(self._first(cells, "description"))
        price = self._price(row, key, cells, rejects)
        if not (title or description or images):
            first = rejects[0].reason + "; " if rejects else ""
            return Reject(
                row, key, "row", "", f"{first}the row has no title, no description and no image"
            )
        mapped = {column for columns in self.mapping.values() for column in columns}
        return ProductRecord(
            key=key,
            title=title,
            description=description,
            category=self._first(cells, "category") or None,
            brand=self._first(cells, "brand") or None,
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
        return None

    def _key_or_none(self, cells: Mapping[str, Any]) -> str | None:
        key = _CONTROL.sub("", self._first(cells, "id"))[:MAX_KEY_CHARACTERS]
        return key.encode("utf-8", "replace").decode() or None

    def _key(self, cells: Mapping[str, Any]) -> str:
        key = _CONTROL.sub("", self._first(cells, "id"))
        if key:
            return key
        # Without an id the same title and photo are the same product in the next run, too.
        values = [self._first(cells, name) for name in ("title", "image", "description")]
        return "auto-" + hashlib.sha256(json.dumps(values).encode()).hexdigest()[:12]

    def _first(self, cells: Mapping[str, Any], name: str) -> str:
        for column in self.mapping.get(name, ()):
            text = _text(cells.get(column)).strip()
            if text:
                return text
        return ""

    def _images(
        self, row: int, key: str, cells: Mapping[str, Any], rejects: list[Reject]
    ) -> list[str]:
        images: list[str] = []
        for column in self.mapping.get("image", ()):
            cell = cells.get(column)
            for path in split_images(cell):
                if not isinstance(cell, PurePath) and _ADDRESS.match(path):
                    reason = "is a web address; download the photo and give its path"
                    rejects.append(Reject(row, key, "image", _short(path), reason))
                elif path not in images:
                    images.append(path)
        return images

    def _price(
        self, row: int, key: str, cells: Mapping[str, Any], rejects: list[Reject]
    ) -> float | None:
        text = self._first(cells, "price")
        if not text:
            return None
        price = parse_price(text)
        if price is None:
            reason = "is not a price; the product is indexed without one"
            rejects.append(Reject(row, key, "price", _short(text), reason))
        return price

    @staticmethod
    def _title_from(images: list[str]) -> str:
        return title_from_path(images[0]) if images else ""


def parse_price(text: str) -> float | None:
    """The amount of a price as shops write it ("$1,299.00", "12,99 €"), None if it is none."""
    if len(text) > MAX_PRICE_CHARACTERS:
        return None
    try:
        value = float(text)
    except ValueError:
        if not _PRICE.fullmatch(text):
            return None
        amount = Price.fromstring(text).amount
        if amount is None:
            return None
        value = float(amount)
    return value if math.isfinite(value) and value >= 0 else None


def split_images(value: Any) -> list[str]:
    """The paths in an image cell: one, several split by `|`, or a list (also written as JSON).

    A `PurePath` is a file that was found, not a text that somebody wrote: it is taken as it is.
    """
    if isinstance(value, PurePath):
        return [str(value)]
    if isinstance(value, list | tuple):
        return [path for item in value for path in split_images(item)]
    if isinstance(value, dict):
        return split_images(value.get("path") or value.get("url"))
    text = _text(value).strip()
    if text.startswith("[") and text.endswith("]"):
        try:
            return split_images(json.loads(text))
        except (ValueError, RecursionError):
            pass
    return [path for part in text.split("|") if (path := part.strip())]


def title_from_path(path: str) -> str:
    """Words of a file name: `red-mug_01.jpg` -> `red mug`. Empty for names that are no words."""
    stem = _CONTROL.sub(" ", Path(urllib.parse.unquote(path.replace("\\", "/"))).stem)
    if _HASHLIKE.fullmatch(stem):
        return ""
    words = re.sub(r"[\s_\-.+]+", " ", stem).strip()
    without_number = re.sub(r"( \d{1,3}| \(\d{1,3}\))$", "", words)
    return without_number or words


def plain_text(text: str) -> str:
    """The text of a fragment of HTML; a text without tags comes back as it is."""
    if not _TAG.search(text):
        return text
    # A space where a tag was: words of two list items must not grow together.
    bare = nh3.clean(text.replace("<", " <"), tags=set())
    return " ".join(html.unescape(bare).split())


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
    return _text(value).strip()


def _flatten(name: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in _flatten(f"{name}.{key}", item)]
    if isinstance(value, list | tuple):
        return [(name, _kept(value))]
    return [(name, value)]


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, default=str) if value else ""
    return str(value)


def _short(text: str) -> str:
    text = text.encode("utf-8", "replace").decode().replace("\x00", "\\0")
    return text if len(text) <= 120 else text[:117] + "..."
