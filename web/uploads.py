"""Photos that visitors searched by, kept for a while so that the address of a search works again.

They are stored as new JPEGs: no metadata, nothing hidden beside the picture, and never under a
name that a visitor chose.
"""

from __future__ import annotations

import io
import re
import time
from pathlib import Path

from PIL import Image

from retrieval.errors import ImageError, NotFound
from retrieval.images.decoding import content_hash
from retrieval.images.pool import DecodingPool, Limits
from retrieval.images.reading import PhotoReader

KEPT_SECONDS = 7 * 24 * 3600
MAX_STORED = 2_000
LONGEST_SIDE = 1_600
QUALITY = 90
_ID = re.compile(r"[0-9a-f]{32}")


class Uploads:
    """A folder of uploaded photos, each under the hash of its pixels."""

    def __init__(self, folder: Path, max_bytes: int, limits: Limits, pool: DecodingPool) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._photos = PhotoReader(limits, pool)

    def clean(self, data: bytes) -> tuple[bytes, str]:
        """A photo as it would be kept, and its id; nothing is stored.

        Raises:
            ImageError: too large, or not a photo that can be read.
            Overtime: too many photos are being read, or this one until its time is up.
        """
        if len(data) > self._max_bytes:
            raise ImageError(
                f"the photo has more than {self._max_bytes:,} bytes; send a smaller one"
            )
        if not data:
            raise ImageError("the photo is empty; choose another")
        pixels = self._photos.read(data, LONGEST_SIDE, LONGEST_SIDE).pixels
        return jpeg_of(pixels), content_hash(pixels)[:32]

    def add(self, data: bytes) -> str:
        """Stores a photo; the id to find it by.

        Raises:
            ImageError: as `clean`, or it cannot be kept here just now.
        """
        kept, photo_id = self.clean(data)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(self._path(photo_id), kept)
        except OSError:
            raise ImageError("the photo cannot be kept here just now; try again later") from None
        self._drop_old()
        return photo_id

    def get(self, photo: str) -> bytes:
        """The JPEG of an id; raises NotFound where there is none, or none any more."""
        if not _ID.fullmatch(photo):
            raise NotFound("there is no such photo; upload it again")
        path = self._path(photo)
        try:
            if path.stat().st_mtime < time.time() - KEPT_SECONDS:
                raise OSError
            return path.read_bytes()
        except OSError:
            raise NotFound("the photo is not kept any more; upload it again") from None

    def forget(self, photo: str) -> None:
        """Removes a photo; raises NotFound where there is none."""
        self.get(photo)
        self._path(photo).unlink(missing_ok=True)

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
    try:
        partial.write_bytes(data)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def jpeg_of(pixels: Image.Image) -> bytes:
    """A picture as JPEG, with nothing beside its pixels."""
    pixels.info.clear()  # Pillow would write comments of the file that it came from
    buffer = io.BytesIO()
    pixels.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
