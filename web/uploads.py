"""Photos that visitors searched by, kept for a while so that the address of a search works again.

They are stored as new JPEGs: no metadata, nothing hidden beside the picture, and never under a
name that a visitor chose.
"""

from __future__ import annotations

import hashlib
import io
import re
import time
from pathlib import Path

from PIL import Image

from retrieval.errors import ImageError, NotFound
from retrieval.images import decode_photo

KEPT_SECONDS = 7 * 24 * 3600
MAX_STORED = 2_000
LONGEST_SIDE = 1_600
QUALITY = 90
_ID = re.compile(r"[0-9a-f]{32}")


class Uploads:
    """A folder of uploaded photos, each under the hash of its pixels."""

    def __init__(self, folder: Path, max_bytes: int, max_pixels: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels

    def add(self, data: bytes) -> str:
        """Stores a photo; the id to find it by.

        Raises:
            ImageError: too large, or not a photo that can be read.
        """
        if len(data) > self._max_bytes:
            raise ImageError(
                f"the photo has more than {self._max_bytes:,} bytes; send a smaller one"
            )
        if not data:
            raise ImageError("the photo is empty; choose another")
        pixels = decode_photo(data, self._max_pixels).pixels
        pixels.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        pixels.save(buffer, "JPEG", quality=QUALITY)
        found = hashlib.sha256(pixels.tobytes()).hexdigest()[:32]
        self._folder.mkdir(parents=True, exist_ok=True)
        write_whole(self._path(found), buffer.getvalue())
        self._drop_old()
        return found

    def get(self, photo: str) -> bytes:
        """The JPEG of an id; raises NotFound where there is none, or none any more."""
        if not _ID.fullmatch(photo):
            raise NotFound("there is no such photo; upload it again")
        try:
            return self._path(photo).read_bytes()
        except OSError:
            raise NotFound("the photo is not kept any more; upload it again") from None

    def _path(self, photo: str) -> Path:
        return self._folder / f"{photo}.jpg"

    def _drop_old(self) -> None:
        kept = []
        for path in self._folder.glob("*.jpg"):
            try:
                kept.append((path.stat().st_mtime, path))
            except OSError:  # another thread was first
                continue
        kept.sort(reverse=True)
        oldest = time.time() - KEPT_SECONDS
        for number, (stored, path) in enumerate(kept):
            if stored < oldest or number >= MAX_STORED:
                path.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file so that nobody ever reads half of it."""
    partial = path.with_name(f".{path.name}.{time.monotonic_ns()}")
    partial.write_bytes(data)
    partial.replace(path)
