"""A photo is seen upright, in its true colours, on white; what is no photo is refused."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms, ImageFilter

from retrieval.encoders.resizing import resize_by_torch
from retrieval.errors import ImageError
from retrieval.images.decoding import Photo, decode_photo
from retrieval.images.files import read_photo_bytes
from retrieval.images.model_input import fit_square, resize_by
from tests.support.shop import draw_product

CAP = 1_000_000


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(data: bytes) -> Photo:
    return decode_photo(data, CAP)


def half_red() -> Image.Image:
    """Red on the left, blue on the right, 40 x 20."""
    image = Image.new("RGB", (40, 20), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, 20, 20))
    return image


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF", "BMP", "JPEG"])
def test_every_format_shows_the_same_picture(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    pixels = decoded(encoded(half_red(), kind, **options)).pixels
    assert pixels.mode == "RGB"
    assert pixels.size == (40, 20)
    left, right = pixels.getpixel((3, 10)), pixels.getpixel((36, 10))
    assert left[0] > 240 and left[2] < 15
    assert right[2] > 240 and right[0] < 15


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP"])
def test_of_several_frames_the_first_is_seen(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert decoded(data).pixels.getpixel((4, 4)) == (255, 0, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_upright(orientation: int) -> None:
    upright = half_red()
    undo = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = upright
    for step in undo.get(orientation, []):
        stored = stored.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo = decoded(encoded(stored, "PNG", exif=exif))
    assert photo.content_hash == decoded(encoded(upright, "PNG")).content_hash


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P"])
def test_transparency_is_seen_on_white(mode: str) -> None:
    clear = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    clear.paste((0, 0, 0, 255), (0, 0, 5, 10))
    if mode in ("P", "PA"):
        data = encoded(clear.quantize(), "PNG")
    else:
        data = encoded(clear.convert(mode), "PNG")
    pixels = decoded(data).pixels
    assert pixels.getpixel((8, 5)) == (255, 255, 255)
    assert max(pixels.getpixel((1, 5))) < 8


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65_535, 64, dtype=np.uint16).reshape(8, 8)
    pixels = decoded(encoded(Image.fromarray(ramp), "PNG")).pixels
    values = np.asarray(pixels)[..., 0].ravel()
    assert values[0] == 0 and values[-1] == 255
    assert abs(int(values[32]) - 130) <= 2


def test_float_tiff_is_scaled() -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    values = np.asarray(decoded(encoded(Image.fromarray(ramp), "TIFF")).pixels)[..., 0].ravel()
    assert values[0] == 0 and values[-1] == 255


def test_cmyk_keeps_its_colours() -> None:
    data = encoded(half_red().convert("CMYK"), "JPEG", quality=95)
    left = decoded(data).pixels.getpixel((3, 10))
    assert left[0] > 200 and left[2] < 60


def test_colours_are_brought_to_srgb() -> None:
    """A wide-gamut profile makes the same numbers another colour; ignoring it shows it dull."""
    lab = ImageCms.createProfile("LAB")
    srgb = ImageCms.createProfile("sRGB")
    image = half_red()
    in_lab = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    profile = ImageCms.ImageCmsProfile(lab).tobytes()
    left = decoded(encoded(in_lab, "TIFF", icc_profile=profile)).pixels.getpixel((3, 10))
    assert left[0] > 240 and left[1] < 20 and left[2] < 20


def test_a_broken_profile_does_not_cost_the_photo() -> None:
    data = encoded(half_red(), "JPEG", icc_profile=b"not a profile at all")
    assert decoded(data).pixels.getpixel((3, 10))[0] > 240


def test_equal_pixels_have_equal_hashes_whatever_the_file() -> None:
    png, bmp = (decoded(encoded(half_red(), kind)) for kind in ("PNG", "BMP"))
    assert png.content_hash == bmp.content_hash
    assert png.file_hash != bmp.file_hash
    turned = decoded(encoded(half_red().transpose(Image.Transpose.ROTATE_90), "PNG"))
    assert turned.content_hash != png.content_hash


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is large."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("edge", [1_001, 8_000, 60_000, 2_000_000_000])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_bomb_is_refused_before_it_is_decoded(edge: int) -> None:
    with pytest.raises(ImageError, match="pixels"):
        decoded(png_header(edge, edge))


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_truncated_photo_is_refused(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    with pytest.raises(ImageError, match="truncated or damaged"):
        decoded(data[: len(data) // 2])


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8\xff", b"<svg xmlns='x'/>", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"GIF89a"]
)
def test_what_is_no_photo_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError):
        decoded(data)


def test_files_that_are_no_files_are_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    (tmp_path / "zero.jpg").symlink_to("/dev/zero")
    reasons = {
        "pipe.jpg": "regular file",
        "folder.jpg": "regular file",
        "empty.jpg": "empty",
        "loop.jpg": "cannot be read",
        "zero.jpg": "regular file",
        "missing.jpg": "no such file",
        "x" * 5_000: "cannot be read",
        "nul\0byte.jpg": "cannot be read",
    }
    for name, reason in reasons.items():
        with pytest.raises(ImageError, match=reason):
            read_photo_bytes(tmp_path / name, 1_000)


def test_a_file_over_the_cap_is_refused_unread(tmp_path: Path) -> None:
    large = tmp_path / "large.jpg"
    with large.open("wb") as handle:
        handle.truncate(10**12)  # sparse: reading it would take a terabyte of memory
    with pytest.raises(ImageError, match="bytes, more than"):
        read_photo_bytes(large, 10**6)


@given(
    width=st.integers(1, 90),
    height=st.integers(1, 90),
    size=st.sampled_from([1, 16, 33]),
    fit=st.sampled_from(["letterbox", "crop", "squash"]),
)
def test_the_square_has_the_models_size_whatever_the_photo(
    width: int, height: int, size: int, fit: str
) -> None:
    square = fit_square(Image.new("RGB", (width, height), "red"), size, fit)  # type: ignore[arg-type]
    assert square.shape == (3, size, size)
    assert square.dtype == np.uint8
    # The middle of an even side is two pixels, and of a thin photo one of them is seen.
    middle = slice((size - 1) // 2, size // 2 + 1)
    assert square[0, middle, middle].max() > 200 and square[1, middle, middle].min() < 60


def test_a_letterbox_shows_a_wide_photo_whole() -> None:
    marked = Image.new("RGB", (300, 100), "green")
    marked.paste((255, 0, 0), (0, 0, 20, 100))
    marked.paste((0, 0, 255), (280, 0, 300, 100))
    whole = fit_square(marked, 60, "letterbox").transpose(1, 2, 0)
    assert whole[30, 1, 0] > 200 and whole[30, 58, 2] > 200
    assert (whole[5] == 255).all() and (whole[55] == 255).all()
    cropped = fit_square(marked, 60, "crop").transpose(1, 2, 0)
    assert cropped[30, 1, 0] < 50 and cropped[30, 58, 2] < 50


@pytest.mark.parametrize("fit", ["crop", "letterbox", "squash"])
def test_a_thin_photo_is_never_blown_up(fit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scaled before it is cropped, a photo of 1 x 60,000 would be one of 3 billion pixels."""
    made: list[tuple[int, int]] = []
    resize = Image.Image.resize

    def watched(self: Image.Image, size: tuple[int, int], *rest: Any) -> Image.Image:
        made.append(size)
        return resize(self, size, *rest)

    monkeypatch.setattr(Image.Image, "resize", watched)
    assert fit_square(Image.new("RGB", (1, 60_000), "red"), 224, fit).shape == (3, 224, 224)  # type: ignore[arg-type]
    assert made and all(width * height <= 224 * 224 for width, height in made)


@pytest.mark.parametrize("turned", [1, 6], ids=["upright", "turned"])
def test_a_large_jpeg_is_seen_as_before_though_it_is_decoded_smaller(turned: int) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turned
    large = draw_product("mug", "red", (1800, 1200)).filter(ImageFilter.GaussianBlur(4))
    buffer = io.BytesIO()
    large.save(buffer, "JPEG", quality=92, exif=exif)
    whole = decode_photo(buffer.getvalue(), 3_000_000)
    small = decode_photo(buffer.getvalue(), 3_000_000, side=96)
    assert (small.width, small.height) == (whole.width, whole.height) == whole.pixels.size
    assert 2 * 96 <= min(small.pixels.size) < min(whole.pixels.size)
    assert small.file_hash == whole.file_hash
    for fit in ("letterbox", "crop", "squash"):
        before = fit_square(whole.pixels, 96, fit).astype(int)  # type: ignore[arg-type]
        after = fit_square(small.pixels, 96, fit).astype(int)  # type: ignore[arg-type]
        assert np.abs(before - after).mean() < 1.5


def test_a_jpeg_that_is_not_much_larger_is_decoded_whole() -> None:
    buffer = io.BytesIO()
    draw_product("box", "blue", (400, 380)).save(buffer, "JPEG")
    assert decode_photo(buffer.getvalue(), CAP, side=96).pixels.size == (400, 380)


@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    seed=st.integers(0, 99),
    mode=st.sampled_from(["bicubic", "bilinear"]),
)
def test_the_fast_way_to_resize_is_pillows_but_for_rounding(
    width: int, height: int, seed: int, mode: str
) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    pixels = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1))
    slow = resize_by(Image.Resampling[mode.upper()])(pixels, (64, 48)).astype(int)
    fast = resize_by_torch(mode)(pixels, (64, 48)).astype(int)
    assert np.abs(slow - fast).max() <= 6 and np.abs(slow - fast).mean() < 0.6
