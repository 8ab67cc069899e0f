"""A folder of images: each one a product, titled by its file name, with sidecars beside it."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

from retrieval.common.products import Reject
from retrieval.common.text import is_unicode
from retrieval.errors import SourceError
from retrieval.images.files import SUFFIXES
from retrieval.images.kinds import passed_over_suffixes
from retrieval.sources.columns import FIELDS
from retrieval.sources.records import MAX_KEY_CHARACTERS, title_from_path

MAX_SIDECAR_BYTES = 1_000_000
# Folders that programs keep for themselves: thumbnails, versions, what was thrown away.
SKIPPED_FOLDERS = {".git", ".thumbnails", "@eaDir", "__MACOSX", ".Trash", "$RECYCLE.BIN"}


class ImageFolder:
    """Rows as a table would have them, in the order of paths; rows count from 1."""

    columns: list[str] = list(FIELDS)

    def __init__(self, path: Path) -> None:
        self.path = path
        # By suffix, of the files that were looked through last.
        self.taken: Counter[str] = Counter()
        self.passed_over: Counter[str] = Counter()

    def rows(self) -> Iterator[tuple[int, dict[str, Any]] | Reject]:
        for number, path in enumerate(self._images(), start=1):
            name = path.relative_to(self.path).as_posix()
            if not is_unicode(name):
                printable = name.encode("utf-8", "replace").decode()
                reason = "the file name is not valid UTF-8; rename the file"
                yield Reject(number, None, "image", printable, reason)
                continue
            cells: dict[str, Any] = {
                "id": _key_of(name),
                "title": title_from_path(name),
                "image": PurePath(name),
            }
            parent = path.relative_to(self.path).parent.as_posix()
            if parent != ".":
                cells["category"] = parent
            sidecar = _read_sidecar(path)
            if isinstance(sidecar, str):
                yield Reject(number, name, "description", "", sidecar)
            else:
                cells.update(sidecar)
            yield number, cells

    def _images(self) -> Iterator[Path]:
        self.taken.clear()
        self.passed_over.clear()
        for folder, folders, files in os.walk(self.path, onerror=_refuse):
            folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS)
            for name in sorted(files):
                # `._photo.jpg` is what macOS leaves beside a photo: no image, whatever its name.
                suffix = Path(name).suffix.lower()
                if name.startswith("._"):
                    continue
                if suffix in SUFFIXES:
                    self.taken[suffix] += 1
                    yield Path(folder) / name
                elif suffix in passed_over_suffixes():
                    self.passed_over[suffix] += 1


def _refuse(error: OSError) -> None:
    # Passed over in silence, all that lies in it would seem gone, and `--prune` would drop it.
    raise SourceError(f"{error.filename} cannot be listed ({error.strerror}); make it readable")


def _key_of(name: str) -> str:
    """The path as id; of a path too long for one, its end, and what tells it from others."""
    if len(name) <= MAX_KEY_CHARACTERS:
        return name
    mark = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{mark}~{name[-(MAX_KEY_CHARACTERS - len(mark) - 1) :]}"


def _read_sidecar(image: Path) -> dict[str, Any] | str:
    """The cells that `photo.json` or `photo.txt` adds to `photo.jpg`; a reason if it is broken."""
    for candidate in (image.with_suffix(".json"), Path(f"{image}.json")):
        if os.path.isfile(candidate):  # noqa: PTH113 - Path's own fails on a name too long
            return _read_json(candidate)
    for candidate in (image.with_suffix(".txt"), Path(f"{image}.txt")):
        if os.path.isfile(candidate):  # noqa: PTH113 - Path's own fails on a name too long
            text = _read_text(candidate)
            return {"description": text} if text is not None else _broken(candidate)
    return {}


def _read_json(path: Path) -> dict[str, Any] | str:
    text = _read_text(path)
    try:
        cells = json.loads(text or "")
    except (ValueError, RecursionError):
        return _broken(path)
    if not isinstance(cells, dict):
        return _broken(path)
    cells.pop("image", None)  # the photo is the one that the sidecar lies beside
    return {name: value for name, value in cells.items() if value not in (None, "")}


def _read_text(path: Path) -> str | None:
    try:
        if path.stat().st_size > MAX_SIDECAR_BYTES:
            return None
        return path.read_text("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _broken(path: Path) -> str:
    return f"sidecar {path.name} cannot be read; the photo is indexed without it"
