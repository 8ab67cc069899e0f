"""Bytes of a photo -> upright sRGB pixels, on white.

Everything here is safe to call from several threads, and imports neither torch nor a model.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError

from retrieval.errors import ImageError, one_line
from retrieval.images.kinds import BY_NAME, cannot_be_read
from retrieval.images.outline import NOT_AN_IMAGE, Outline, outline_of
from retrieval.images.raw import developed, is_raw, is_raw_tiff
from retrieval.images.salvaging import Missing, nearly_whole

WHITE = (255, 255, 255)

# Pillow's own limit is one for the whole process and would speak before `max_image_pixels` does;
# that one is checked here, before anything is decoded.
Image.MAX_IMAGE_PIXELS = None

# Plugins of extras; AVIF comes with Pillow.
with contextlib.suppress(ImportError):
    import pillow_heif

    pillow_heif.register_heif_opener()
with contextlib.suppress(ImportError):
    import pillow_jxl  # noqa: F401 - registers itself

_SRGB = ImageCms.createProfile("sRGB")
_WIDE_MODES = {"I", "I;16", "I;16L", "I;16B", "I;16N"}
_WIDE_MAX = 65_535
_EIGHT_OF_SIXTEEN = np.rint(np.arange(_WIDE_MAX + 1) / 257).astype(np.uint8)
_AS_THEY_ARE = np.arange(256, dtype=np.uint8)

SCALED_FROM = 4
# A JPEG may have this many times the pixels that are allowed: it is decoded at a half, a quarter or
# an eighth of its sides, as a phone's photo of 108 megapixels shows no more than one of 27.
SCALED_TIMES = 4
# By Exif's orientation: what turns the stored picture upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TURNED = frozenset((5, 6, 7, 8))


@dataclass(frozen=True)
class Photo:
    """An image that was read, whole or nearly so.

    Attributes:
        pixels: upright, mode RGB, on white where it was transparent.
        width, height: of the file, upright; `pixels` may be smaller.
        content_hash: hex SHA-256 of size and pixels; equal for two files that show the same.
        file_hash: hex SHA-256 of the bytes of the file.
        incomplete: how much of it is missing, as a line; None where it is whole.
    """

    pixels: Image.Image
    width: int
    height: int
    content_hash: str
    file_hash: str
    incomplete: str | None = None


def decode_photo(
    data: bytes,
    max_pixels: int,
    side: int | None = None,
    *,
    setting: str = "max_image_pixels",
    outline: Outline | None = None,
) -> Photo:
    """Decode an image file: first frame, upright, sRGB, transparency over white.

    Args:
        max_pixels: to decode; a JPEG of up to SCALED_TIMES as many is decoded at a smaller scale.
        side: what it will be scaled to. A JPEG of over SCALED_FROM times that is decoded at a half,
            a quarter or an eighth, which costs a part of the time, and still has twice the
            side: so what a model sees of it is the same but for rounding.
        setting: that `max_pixels` comes from, for who reads that it was too small.
        outline: of `data`, where it is known.

    Raises:
        ImageError: not of a kind that is read, over `max_pixels` (checked before decoding), made
            of more parts than a photo is, truncated by more than its last rows, or malformed.
    """
    outline = outline or outline_of(data)
    try:
        image, missing = _loaded(
            data, outline, lambda other: _opened(other, outline.kind, max_pixels, side, setting)
        )
        size = image.size if outline.kind != "JPEG" else (outline.width, outline.height)
        orientation = _orientation(image)
        pixels = _to_rgb(_turn(image, orientation))
        if missing is not None and not missing.rough:
            pixels.paste(WHITE, mask=_turn(missing.mask, orientation))
    except ImageError:
        raise
    except UnidentifiedImageError:
        if outline.kind == "TIFF" and is_raw_tiff(data):
            raise ImageError(cannot_be_read(BY_NAME["RAW"])) from None
        raise ImageError(NOT_AN_IMAGE) from None
    except MemoryError:
        raise ImageError("too large to decode in memory; make it smaller") from None
    except Exception as error:
        # Decoders raise almost anything on hostile input: struct.error, SyntaxError, KeyError...
        raise ImageError(
            f"truncated or damaged ({one_line(error, 200)}); export it again"
        ) from None
    width, height = reversed(size) if orientation in _TURNED else size
    file_hash = hashlib.sha256(data).hexdigest()
    incomplete = missing.told(size[1]) if missing is not None else None
    return Photo(pixels, width, height, content_hash(pixels), file_hash, incomplete)


def scale_of(width: int, height: int, max_pixels: int, side: int | None) -> int:
    """By how much a JPEG of this size is decoded smaller: 1, 2, 4 or 8."""
    scale = 1
    if side is not None and min(width, height) > SCALED_FROM * side:
        fits = min(width // (2 * side), height // (2 * side))
        scale = next(factor for factor in (8, 4, 2, 1) if fits >= factor)
    while scale < 8 and -(-width // scale) * -(-height // scale) > max_pixels:
        scale *= 2
    return scale


def _opened(data: bytes, kind: str, max_pixels: int, side: int | None, setting: str) -> Image.Image:
    """An image whose header was read, set to be decoded at the scale that is wanted."""
    if kind in ("RAW", "TIFF") and is_raw(data):
        image = developed(data)
    elif not BY_NAME[kind].is_read:
        raise ImageError(cannot_be_read(BY_NAME[kind]))
    else:
        Image.init()
        formats = [name for name in BY_NAME[kind].formats if name in Image.OPEN]
        image = Image.open(io.BytesIO(data), formats=formats)
    width, height = image.size
    scalable = image.format in ("JPEG", "MPO")
    if width * height > max_pixels * (SCALED_TIMES if scalable else 1):
        raise ImageError(_too_large(width, height, max_pixels, setting, scalable))
    scale = scale_of(width, height, max_pixels, side) if scalable else 1
    if scale > 1:
        image.draft("RGB", (width // scale, height // scale))
    return image


def _loaded(
    data: bytes, outline: Outline, opened: Callable[[bytes], Image.Image]
) -> tuple[Image.Image, Missing | None]:
    try:
        image = opened(data)
        image.load()
    except (ImageError, MemoryError):
        raise
    except Exception:
        salvaged = nearly_whole(data, outline, opened)
        if salvaged is None:
            raise
        return salvaged
    return image, None


def upright_rgb(image: Image.Image) -> Image.Image:
    """A loaded picture as it is meant to be seen: upright, sRGB, transparency over white."""
    return _to_rgb(_turn(image, _orientation(image)))


def content_hash(pixels: Image.Image) -> str:
    """Hex SHA-256 of an RGB image's size and pixels."""
    digest = hashlib.sha256(f"rgb {pixels.width}x{pixels.height} ".encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        return 1


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    # Pillow's own way would write the Exif block anew, which may be made to take long.
    method = _UPRIGHT.get(orientation)
    if method is None:
        return image
    turned = image.transpose(method)
    turned.info = image.info
    return turned


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _WIDE_MODES or image.mode == "F":
        return _from_wide(image).convert("RGB")
    if image.mode in ("P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA" if _has_alpha(image) else "RGB")
    if image.mode in ("LA", "La", "RGBa"):
        image = image.convert("RGBA")
    if image.mode == "RGBA":
        alpha = image.getchannel("A")
        colours = _to_srgb(image.convert("RGB"), image.info.get("icc_profile"))
        background = Image.new("RGB", image.size, WHITE)
        background.paste(colours, mask=alpha)
        return background
    return _to_srgb(image, image.info.get("icc_profile"))


def _has_alpha(image: Image.Image) -> bool:
    return image.mode == "PA" or "transparency" in image.info


def _from_wide(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float grey -> 8 bits; Pillow itself would clip it to white.

    Works within a few bytes a pixel: one such photo a decoding thread is held at a time.
    """
    values = np.asarray(image)
    if values.dtype.kind == "f":
        values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind != "f" and low >= 0 and high <= _WIDE_MAX:
        table = _EIGHT_OF_SIXTEEN if high > 255 or values.dtype.itemsize == 2 else _AS_THEY_ARE
        return Image.fromarray(table[values])
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    scaled = values.astype(np.float32)
    scaled -= low
    scaled *= 255 / max(high - low, 1e-12)
    return Image.fromarray(np.rint(scaled, out=scaled).astype(np.uint8))


def _to_srgb(image: Image.Image, icc_profile: bytes | None) -> Image.Image:
    if icc_profile and image.mode in ("RGB", "L", "CMYK", "LAB"):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
            converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # a broken profile, or one for another mode: the plain conversion is closest
    return image.convert("RGB") if image.mode != "RGB" else image


def _too_large(width: int, height: int, max_pixels: int, setting: str, scalable: bool) -> str:
    most = max_pixels * (SCALED_TIMES if scalable else 1)
    return (
        f"{width} x {height} pixels, more than the {most:,} allowed; "
        f"make it smaller or raise {setting}"
    )
