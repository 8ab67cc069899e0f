"""Bytes of a photo -> its picture, at a bounded cost: in this thread where it is sure to be small.

What is large or unusual is decoded in a process of `retrieval.images.pool`.
"""

from __future__ import annotations

from typing import Protocol

from PIL import Image

from retrieval.images.decoding import SCALED_TIMES, Photo, decode_photo, scale_of
from retrieval.images.kinds import BY_NAME
from retrieval.images.outline import Outline, outline_of
from retrieval.images.pool import DecodingPool, Limits

# Decoded within a thread: a quarter of a second of processor time and a hundred megabytes at most.
PLAIN_PIXELS = 8_000_000
# Of a JPEG, times its scans: only what of it is kept, at a smaller scale, counts as pixels.
PLAIN_WORK = 64_000_000
# Scans of a JPEG are all kept until the last one was read.
PLAIN_OF_SCANS = 16_000_000


class PhotoSettings(Protocol):
    """The settings of photos, as `retrieval.settings.Settings` has them."""

    @property
    def max_image_pixels(self) -> int: ...
    @property
    def decode_seconds(self) -> float: ...
    @property
    def decode_memory_mb(self) -> float: ...
    @property
    def upload_pixels(self) -> int: ...
    @property
    def upload_seconds(self) -> float: ...


def limits_of_the_user(settings: PhotoSettings) -> Limits:
    """Of photos that the user of this machine chose: a catalog's, and those he searches by."""
    return Limits(
        settings.max_image_pixels,
        settings.decode_seconds,
        _bytes(settings),
        "max_image_pixels",
        "decode_seconds",
    )


def limits_of_visitors(settings: PhotoSettings) -> Limits:
    """Of photos that anybody may send."""
    return Limits(
        settings.upload_pixels,
        settings.upload_seconds,
        _bytes(settings),
        "upload_pixels",
        "upload_seconds",
    )


def _bytes(settings: PhotoSettings) -> int:
    return int(settings.decode_memory_mb * 1_000_000)


class PhotoReader:
    """Decodes photos within limits; safe to share between threads."""

    def __init__(self, limits: Limits, pool: DecodingPool) -> None:
        self._limits = limits
        self._pool = pool

    def read(self, data: bytes, side: int | None = None, most: int | None = None) -> Photo:
        """A photo; see `retrieval.images.decoding.decode_photo`.

        Args:
            most: pixels a side that its picture is made smaller to; None leaves it. Its hash is
                that of the picture before.

        Raises:
            ImageError: it cannot be read, or not within the limits.
            Overtime: see `retrieval.images.pool.DecodingPool.decode`.
        """
        outline = outline_of(data)
        limits = self._limits
        if not is_small(outline, limits.max_pixels, side):
            return self._pool.decode(data, limits, side, most)
        photo = decode_photo(
            data, limits.max_pixels, side, setting=limits.pixels_setting, outline=outline
        )
        if most is not None:
            photo.pixels.thumbnail((most, most), Image.Resampling.LANCZOS)
        return photo


def is_small(outline: Outline, max_pixels: int, side: int | None) -> bool:
    """Whether a photo is sure to be decoded, or refused, in a moment."""
    if outline.kind != "TIFF" and not BY_NAME[outline.kind].is_read:
        return True
    if not outline.plain:
        return False
    width, height = outline.width, outline.height
    pixels = width * height
    if outline.kind != "JPEG":
        return pixels <= PLAIN_PIXELS or pixels > max_pixels
    if pixels > max_pixels * SCALED_TIMES:
        return True
    if pixels * outline.passes > PLAIN_WORK:
        return False
    if outline.passes > 1 and pixels > PLAIN_OF_SCANS:
        return False
    return pixels // scale_of(width, height, max_pixels, side) ** 2 <= PLAIN_PIXELS
