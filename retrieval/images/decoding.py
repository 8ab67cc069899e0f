"""Bytes of a photo -> upright sRGB pixels, on white.

Everything here is safe to call from several threads, and imports neither torch nor a model.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageOps, UnidentifiedImageError

from retrieval.errors import ImageError, one_line

# Only formats whose decoders are memory-safe readers of pixels: Pillow would hand EPS to
# Ghostscript, and reads vector and container formats that no product photo comes in.
FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF")
WHITE = (255, 255, 255)

# Pillow's own limit is one for the whole process and would speak before `max_image_pixels` does;
# that one is checked here, before anything is decoded.
Image.MAX_IMAGE_PIXELS = None

try:  # HEIF needs a plugin (`pip install retrieval[heif]`); AVIF comes with Pillow
    import pillow_heif

    pillow_heif.register_heif_opener()
except ImportError:
    pass

_SRGB = ImageCms.createProfile("sRGB")
_WIDE_MODES = {"I", "I;16", "I;16L", "I;16B", "I;16N"}
_WIDE_MAX = 65_535
_EIGHT_OF_SIXTEEN = np.rint(np.arange(_WIDE_MAX + 1) / 257).astype(np.uint8)
_AS_THEY_ARE = np.arange(256, dtype=np.uint8)

SCALED_FROM = 4
_TURNED = frozenset((5, 6, 7, 8))


@dataclass(frozen=True)
class Photo:
    """An image that was read whole.

    Attributes:
        pixels: upright, mode RGB, on white where it was transparent.
        width, height: of the file, upright; `pixels` may be smaller.
        content_hash: hex SHA-256 of size and pixels; equal for two files that show the same.
        file_hash: hex SHA-256 of the bytes of the file.
    """

    pixels: Image.Image
    width: int
    height: int
    content_hash: str
    file_hash: str


def decode_photo(data: bytes, max_pixels: int, side: int | None = None) -> Photo:
    """Decode an image file: first frame, upright, sRGB, transparency over white.

    Args:
        side: what it will be scaled to. A JPEG of over SCALED_FROM times that is decoded at a half,
            a quarter or an eighth, which costs a part of the time, and still has twice the
            side: so what a model sees of it is the same but for rounding.

    Raises:
        ImageError: not one of FORMATS, over `max_pixels` (checked before decoding), truncated
            or malformed.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_formats()) as image:
            if image.width * image.height > max_pixels:
                raise ImageError(_too_large(image.width, image.height, max_pixels))
            size = image.size
            if side is not None and min(size) > SCALED_FROM * side:
                image.draft("RGB", (2 * side, 2 * side))
            image.load()
            turned = _is_turned(image)
            pixels = upright_rgb(image)
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError("not an image that can be read (JPEG, PNG, WebP, GIF, ...)") from None
    except MemoryError:
        raise ImageError("too large to decode in memory; make it smaller") from None
    except Exception as error:
        # Decoders raise almost anything on hostile input: struct.error, SyntaxError, KeyError...
        raise ImageError(
            f"truncated or damaged ({one_line(error, 200)}); export it again"
        ) from None
    width, height = reversed(size) if turned else size
    file_hash = hashlib.sha256(data).hexdigest()
    return Photo(pixels, width, height, content_hash(pixels), file_hash)


def upright_rgb(image: Image.Image) -> Image.Image:
    """A loaded picture as it is meant to be seen: upright, sRGB, transparency over white."""
    return _to_rgb(_turn_upright(image))


def content_hash(pixels: Image.Image) -> str:
    """Hex SHA-256 of an RGB image's size and pixels."""
    digest = hashlib.sha256(f"rgb {pixels.width}x{pixels.height} ".encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()


def _formats() -> list[str]:
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:
        return 1


def _is_turned(image: Image.Image) -> bool:
    """Whether upright, width and height change places."""
    return _orientation(image) in _TURNED


def _turn_upright(image: Image.Image) -> Image.Image:
    if _orientation(image) == 1:
        return image  # Pillow would copy it
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        # Broken EXIF is common and says nothing about the pixels: show them as they lie.
        return image


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


def _too_large(width: int, height: int, max_pixels: int) -> str:
    return (
        f"{width} x {height} pixels, more than the {max_pixels:,} allowed; "
        "make it smaller or raise max_image_pixels"
    )
