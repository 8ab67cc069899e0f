"""The spellings of a path that moving a catalog between systems leaves behind."""

from __future__ import annotations

import functools
import os
import re
import unicodedata
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

FOLDERS_REMEMBERED = 256
_FILE_ADDRESS = re.compile(r"file:(//(localhost|127\.0\.0\.1)?(?=/))?", re.IGNORECASE)


def is_file_address(written: str) -> bool:
    """Whether it is `file:///photos/red%20mug.jpg`, a path as browsers and desktops write it."""
    return written[:5].lower() == "file:"


def spellings(written: str) -> Iterator[str]:
    """A path as it was written, then as it may have been meant, the likeliest first."""
    yield written
    slashes = written.replace("\\", "/")
    forms = [slashes, urllib.parse.unquote(slashes)]
    if is_file_address(written):
        # In an address a percent sign is none; but some programs write the path as it is.
        plain = _FILE_ADDRESS.sub("", slashes, count=1)
        forms = [urllib.parse.unquote(plain), plain]
    for spelling in dict.fromkeys(forms):
        yield spelling
        yield unicodedata.normalize("NFC", spelling)
        yield unicodedata.normalize("NFD", spelling)


def in_other_case(base: Path, spelling: str) -> Path | None:
    """The file of a path in whose names case does not count; None where there is none, or several.

    Windows and macOS find `Photos/Red-Mug.JPG` as `photos/red-mug.jpg`. Steps that are there to
    the letter are taken so; of the others only those that one name alone can be meant by.
    """
    path = Path("/") if spelling.startswith("/") else base
    for step in spelling.split("/"):
        if step in ("", "."):
            continue
        if step != ".." and not os.path.lexists(path / step):
            names = _names(path).get(folded(step), ())
            if len(names) != 1:
                return None
            step = names[0]
        path = path / step
    return path if path.exists() else None


def folded(name: str) -> str:
    """A name as file systems compare it that heed neither case nor Unicode's composition."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _names(folder: Path) -> dict[str, tuple[str, ...]]:
    return _listed(str(folder), os.stat(folder).st_mtime_ns)  # noqa: PTH116 - once a photo


@functools.lru_cache(FOLDERS_REMEMBERED)
def _listed(folder: str, changed: int) -> dict[str, tuple[str, ...]]:  # noqa: ARG001 - a key
    """Folded name -> names, of a folder as it was when it was last changed.

    Remembered: of a catalog from Windows every photo may be asked for in another case, and to list
    a folder of 100,000 for each would take days.
    """
    names: dict[str, list[str]] = {}
    for name in sorted(os.listdir(folder)):  # noqa: PTH208 - names alone
        names.setdefault(folded(name), []).append(name)
    return {key: tuple(same) for key, same in names.items()}
