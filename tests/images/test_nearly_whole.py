"""A photo that lost its last bytes is used; one that lost more is refused, as before."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from retrieval.errors import ImageError
from retrieval.images.decoding import decode_photo

CAP = 1_000_000
_NOISE = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
PICTURE = Image.fromarray(_NOISE).resize((400, 300), Image.Resampling.BICUBIC)
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "jpeg": ("JPEG", {}),
    "jpeg with restarts": ("JPEG", {"restart_marker_rows": 1}),
    "fine jpeg": ("JPEG", {"subsampling": 0, "quality": 95}),
    "progressive": ("JPEG", {"progressive": True}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {}),
    "lossless webp": ("WEBP", {"lossless": True}),
    "gif": ("GIF", {}),
    "tiff": ("TIFF", {}),
    "bmp": ("BMP", {}),
}
LOSSY = ("jpeg", "jpeg with restarts", "fine jpeg", "progressive", "webp")


def encoded(kind: str) -> bytes:
    name, options = KINDS[kind]
    picture = PICTURE.quantize(64) if name == "GIF" else PICTURE
    buffer = io.BytesIO()
    picture.save(buffer, name, **options)
    return buffer.getvalue()


DATA = {kind: encoded(kind) for kind in KINDS}
WHOLE = {kind: np.asarray(decode_photo(data, CAP).pixels) for kind, data in DATA.items()}


@pytest.mark.parametrize("kind", ["jpeg", "jpeg with restarts", "fine jpeg", "progressive"])
def test_a_jpeg_without_its_end_mark_is_whole(kind: str) -> None:
    for cut in (1, 2):
        photo = decode_photo(DATA[kind][:-cut], CAP)
        assert photo.incomplete is None
        assert np.array_equal(np.asarray(photo.pixels), WHOLE[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_behind_a_photo_do_not_matter(kind: str) -> None:
    photo = decode_photo(DATA[kind] + b"\0\xffhidden" * 50, CAP)
    assert photo.incomplete is None
    assert np.array_equal(np.asarray(photo.pixels), WHOLE[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_cut_within_its_last_rows_is_used_and_told(kind: str) -> None:
    cut = len(DATA[kind]) // 100
    photo = decode_photo(DATA[kind][:-cut], CAP)
    told = re.search(r"of (\d+) of its 300 rows .* is missing, ([\d.]+)%", str(photo.incomplete))
    assert told is not None and 1 <= int(told[1]) <= 75 and float(told[2]) <= 25
    pixels = np.asarray(photo.pixels)
    same = np.abs(pixels.astype(int) - WHOLE[kind]).max(axis=2) <= 8
    assert same.mean() > 0.9
    if kind == "progressive":  # all of it is seen, in part less finely
        assert np.abs(pixels.astype(int) - WHOLE[kind]).mean() < 2
        return
    assert float(told[2]) < 6.3
    # What is missing is white, as all that a photo does not show.
    assert (pixels[~same] == 255).all(axis=1).mean() > 0.9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kept", [0.05, 0.5, 0.8])
def test_what_is_cut_in_half_is_refused(kind: str, kept: float) -> None:
    with pytest.raises(ImageError):
        decode_photo(DATA[kind][: int(len(DATA[kind]) * kept)], CAP)


@pytest.mark.parametrize("kind", ["jpeg", "progressive", "jpeg with restarts"])
def test_a_download_that_stopped_in_a_file_of_full_length_is_refused(kind: str) -> None:
    data = DATA[kind]
    half = len(data) // 2
    with pytest.raises(ImageError):
        decode_photo(data[:half] + bytes(len(data) - half), CAP)


def test_of_an_animation_that_was_cut_the_first_picture_is_whole() -> None:
    buffer = io.BytesIO()
    others = [PICTURE.rotate(90), PICTURE.rotate(180)]
    PICTURE.save(buffer, "WEBP", save_all=True, append_images=others, quality=80)
    data = buffer.getvalue()
    cut = decode_photo(data[: len(data) * 9 // 10], CAP)
    assert cut.incomplete is None
    assert cut.content_hash == decode_photo(data, CAP).content_hash


def test_a_turned_photo_that_was_cut_is_white_where_it_lacks_something() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # its last rows stand at the left
    buffer = io.BytesIO()
    PICTURE.save(buffer, "JPEG", exif=exif)
    photo = decode_photo(buffer.getvalue()[:-300], CAP)
    pixels = np.asarray(photo.pixels)
    assert photo.incomplete and pixels.shape == (400, 300, 3)
    assert (pixels[-1, 0] == 255).all() and not (pixels[:, -20:] == 255).all(axis=2).any()


@given(st.sampled_from(sorted(KINDS)), st.floats(0, 1, exclude_max=True))
def test_cut_anywhere_what_is_used_is_nearly_whole(kind: str, place: float) -> None:
    data = DATA[kind][: int(len(DATA[kind]) * (0.9 + 0.1 * place))]
    try:
        photo = decode_photo(data, CAP)
    except ImageError:
        return
    differs = np.abs(np.asarray(photo.pixels).astype(int) - WHOLE[kind]).max(axis=2) > 40
    assert differs.mean() <= (1 / 16 if kind not in LOSSY else 1 / 12)
