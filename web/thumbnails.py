"""Small pictures of the catalog's photos, made once and kept on disk."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from retrieval.common.asker import asked_by
from retrieval.errors import ImageError
from retrieval.images.files import read_photo_bytes
from retrieval.images.pool import DecodingPool, Limits
from retrieval.images.reading import PhotoReader

from .uploads import write_whole

SIZES = (320, 640, 1280)
QUALITY = 82


class Thumbnails:
    """A folder of WebP pictures, by what they were made of."""

    def __init__(self, folder: Path, max_bytes: int, limits: Limits, pool: DecodingPool) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._photos = PhotoReader(limits, pool)

    def key(self, path: Path, size: int) -> str:
        """Changes whenever the photo does; raises ImageError where the file is gone."""
        try:
            status = path.stat()
        except OSError:
            raise ImageError("the photo's file is gone") from None
        told = f"{path.resolve()} {status.st_size} {status.st_mtime_ns} {size}"
        return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:32]

    def get(self, path: Path, size: int) -> bytes:
        """WebP of at most `size` pixels a side; raises ImageError where there is no photo."""
        kept = self._folder / f"{self.key(path, size)}.webp"
        try:
            return kept.read_bytes()
        except OSError:
            pass
        data = self._make(path, size)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(kept, data)
        except OSError:
            pass  # a read-only disk costs time, not the picture
        return data

    def _make(self, path: Path, size: int) -> bytes:
        data = read_photo_bytes(path, self._max_bytes)
        # A page shows many photos at once: none of them may be refused for the others.
        with asked_by(None):
            pixels = self._photos.read(data, size, size).pixels
        pixels.info.clear()
        buffer = io.BytesIO()
        pixels.save(buffer, "WEBP", quality=QUALITY)
        return buffer.getvalue()
