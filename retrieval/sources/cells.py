"""A cell of a source, whatever it holds -> text, number, paths of photos, attributes."""

from __future__ import annotations

import html
import json
import math
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path, PurePath
from typing import Any

# More bytes than a digest or a UUID has are no value that anybody reads.
MAX_HEX_BYTES = 64
BYTES_NO_TEXT = "holds bytes that are no text, which are left out, in the rows below as well"
PHOTO_AS_BYTES = "holds the photo itself; save it as a file and give its path"
# Under which names an object says where its photo lies, the surest first.
PHOTO_NAMES = (
    "path src file filename file_name file_path filepath url href uri link image photo picture "
    "original full large"
).split()
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--")
# What is no text in HTML. Each part stops at the next sign that could begin another, or runs to
# the end, so that no text takes longer than its length; parsers that build a tree, as sanitisers
# do, take the square of how deeply elements are nested.
_MARKUP = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(script|style)\b[^<>]*+>.*?(?:</\1[^<>]*+>|\Z)"
    r"|<[!?][^<>]*+>"
    r"""|</?[a-z](?:[^"'<>]|"[^"]*"|'[^']*')*+>"""
    r"|</?[a-z][^<>]*+>",
    re.IGNORECASE | re.DOTALL,
)
# With its semicolon: `?a=1&copy=2` is an address and `AT&T` a brand.
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});")
_TIMES_ESCAPED = 2
_HASHLIKE = re.compile(r"[0-9a-f-]{16,}", re.IGNORECASE)


@dataclass(frozen=True)
class Unreadable:
    """In place of a cell that cannot be read: `reason` says why, as the end of a sentence."""

    reason: str


def text_of(value: Any) -> str:
    """What a cell says, as text; empty where it says nothing, or nothing that is text."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return _text_of_bytes(bytes(value)) or ""
    if isinstance(value, Unreadable):
        return ""
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, ensure_ascii=False, default=_nested) if value else ""
    return str(value)


def _nested(value: Any) -> str:
    # A photo as bytes is no long cell, and its bytes are no text.
    return text_of(value)


def _text_of_bytes(value: bytes) -> str | None:
    """Bytes that are text, or short ones as hexadecimal digits; None of all others."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        text = None
    if text is not None and not CONTROL.search(text):
        return text
    return value.hex() if len(value) <= MAX_HEX_BYTES else None


def is_lost(value: Any) -> bool:
    """Whether a cell holds bytes that cannot be told as text."""
    if isinstance(value, bytes | bytearray | memoryview):
        return _text_of_bytes(bytes(value)) is None
    if isinstance(value, list | tuple):
        return any(is_lost(item) for item in value)
    return isinstance(value, dict) and any(is_lost(item) for item in value.values())


def key_text(value: Any) -> str:
    """An id: a whole number is one without decimals, as tables with gaps make 1001.0 of 1001."""
    if isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value):
        return str(int(value))
    return text_of(value)


def number_of(value: Any) -> float | None:
    """A cell that is a number, not a text that looks like one."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def split_images(value: Any) -> list[str]:
    """The paths in an image cell: one, several split by `|`, or a list (also written as JSON).

    A `PurePath` is a file that was found, not a text that somebody wrote: it is taken as it is.
    """
    return read_photos(value)[0]


def read_photos(value: Any) -> tuple[list[str], list[tuple[str, str]]]:
    """The paths in an image cell, and what in it names no photo: a text and why."""
    paths: list[str] = []
    problems: list[tuple[str, str]] = []
    _collect(value, paths, problems)
    return paths, problems


def _collect(value: Any, paths: list[str], problems: list[tuple[str, str]]) -> None:
    if isinstance(value, PurePath):
        paths.append(str(value))
    elif isinstance(value, list | tuple):
        for item in value:
            _collect(item, paths, problems)
    elif isinstance(value, dict):
        _collect_object(value, paths, problems)
    elif isinstance(value, bytes | bytearray | memoryview):
        text = _path_of_bytes(bytes(value))
        if text is None:
            problems.append(("", PHOTO_AS_BYTES))
        else:
            _collect(text, paths, problems)
    else:
        text = text_of(value).strip()
        if text[:1] + text[-1:] in ("[]", "{}"):
            try:
                parsed = json.loads(text)
            except (ValueError, RecursionError):
                pass
            else:
                _collect(parsed, paths, problems)
                return
        paths += [path for part in text.split("|") if (path := part.strip())]


def _collect_object(
    value: Mapping[str, Any], paths: list[str], problems: list[tuple[str, str]]
) -> None:
    """An object that describes a photo: `{"src": ..., "alt": ...}`, or `{"bytes": ...}`."""
    by_name = {str(name).lower(): item for name, item in value.items()}
    named = next((by_name[name] for name in PHOTO_NAMES if by_name.get(name)), None)
    if named is not None:
        _collect(named, paths, problems)
    elif by_name.get("bytes"):
        problems.append(("", PHOTO_AS_BYTES))
    elif any(item not in (None, "", [], {}) for item in by_name.values()):
        names = ", ".join(PHOTO_NAMES[:3])
        problems.append((text_of(value), f"names no photo; give its path as one of {names}, url"))


def _path_of_bytes(value: bytes) -> str | None:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return None if CONTROL.search(text) else text


def title_from_path(path: str) -> str:
    """Words of a file name: `red-mug_01.jpg` -> `red mug`. Empty for names that are no words."""
    stem = CONTROL.sub(" ", Path(urllib.parse.unquote(path.replace("\\", "/"))).stem)
    if _HASHLIKE.fullmatch(stem):
        return ""
    words = re.sub(r"[\s_\-.+]+", " ", stem).strip()
    without_number = re.sub(r"( \d{1,3}| \(\d{1,3}\))$", "", words)
    return without_number or words


def plain_text(text: str) -> str:
    """The text of a fragment of HTML, escaped or not; one without any comes back as it is."""
    if not _TAG.search(text):
        text = unescaped(text)
        if not _TAG.search(text):
            return text
    # A space where a tag was: words of two list items must not grow together.
    return " ".join(unescaped(_MARKUP.sub(" ", text)).split())


def unescaped(text: str) -> str:
    """Without entities: `H&amp;M` is `H&M`, also where an export escaped it twice."""
    for _ in range(_TIMES_ESCAPED):
        if "&" not in text or ";" not in text:
            break
        text = _ENTITY.sub(_character, text)
    return text


def _character(entity: re.Match[str]) -> str:
    # A space that does not break is a space to whoever searches.
    return html.unescape(entity[0]).replace("\xa0", " ")
