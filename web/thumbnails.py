"""Small pictures of the catalog's photos, made once and kept on disk."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from PIL import Image

from retrieval.errors import ImageError
from retrieval.images.decoding import decode_photo

from .uploads import write_whole

SIZES = (320, 640, 1280)
QUALITY = 82


class Thumbnails:
    """A folder of WebP pictures, by what they were made of."""

    def __init__(self, folder: Path, max_pixels: int) -> None:
        self._folder = folder
        self._max_pixels = max_pixels

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
        try:
            pixels = decode_photo(path.read_bytes(), self._max_pixels, size).pixels
        except OSError:
            raise ImageError("the photo's file cannot be read") from None
        pixels.info.clear()
        pixels.thumbnail((size, size), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        pixels.save(buffer, "WEBP", quality=QUALITY)
        return buffer.getvalue()
