"""What a photo is made of is counted before it is decoded: a small file must not be much work."""

from __future__ import annotations

import io
import struct
import time
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from retrieval.errors import ImageError
from retrieval.images.outline import outline_of
from retrieval.images.reading import is_small

CAP = 40_000_000
MOMENT_S = 1.0


def encoded(
    kind: str, size: tuple[int, int] = (64, 48), mode: str = "RGB", **options: Any
) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, 90 if mode == "L" else None).save(buffer, kind, **options)
    return buffer.getvalue()


def with_scans(times: int) -> bytes:
    """A progressive JPEG whose last scan is there `times` times more."""
    data = encoded("JPEG", (200, 200), progressive=True)
    start = data.rindex(b"\xff\xda")
    return data[:-2] + data[start:-2] * times + data[-2:]


def with_segments(times: int) -> bytes:
    data = encoded("JPEG")
    return data[:2] + b"\xff\xfe\0\2" * times + data[2:]


def with_fill(count: int) -> bytes:
    data = encoded("JPEG")
    return data[:2] + b"\xff" * count + data[2:]


def with_chunks(count: int) -> bytes:
    data = encoded("PNG")
    chunk = struct.pack(">I4sI", 0, b"teSt", zlib.crc32(b"teSt"))
    return data[:33] + chunk * count + data[33:]


def with_blocks(count: int) -> bytes:
    data = encoded("GIF")
    start = data.index(b"\x2c")
    return data[:start] + b"\x21\xfe" + b"\1x" * count + b"\0" + data[start:]


def with_riff_chunks(count: int) -> bytes:
    data = encoded("WEBP")[8:] + b"teSt\0\0\0\0" * count
    return b"RIFF" + struct.pack("<I", len(data)) + data


def with_strips(count: int) -> bytes:
    tags = [(256, 16), (257, count), (258, 8), (259, 1), (262, 1), (273, -1), (278, 1), (279, -1)]
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    lists = 8 + 2 + 12 * len(tags) + 4 + 16
    for tag, value in tags:
        many = value == -1
        head += struct.pack("<HHII", tag, 4, count if many else 1, lists if many else value)
    return head + b"\0" * 4 + b"\x80" * 16 + struct.pack("<I", lists - 16) * count


def with_one_value_for_all_tags(count: int) -> bytes:
    body = b"".join(struct.pack("<HHII", 1_000 + n, 1, 90_000, 8) for n in range(count))
    return b"II*\0" + struct.pack("<IH", 8, count) + body + b"\0" * 90_000


def with_tiles(side: int) -> bytes:
    size = struct.pack(">HHIIIIIIIIH", 41, 0, 30_000, 30_000, 0, 0, side, side, 0, 0, 1)
    return b"\xff\x4f\xff\x51" + size + b"\7\1\1"


def with_boxes(count: int) -> bytes:
    return b"\0\0\0\x18ftypavif\0\0\0\0mif1miaf" + b"\0\0\0\x08free" * count


MANY: dict[str, Callable[[], bytes]] = {
    "scans": lambda: with_scans(2_800),
    "segments": lambda: with_segments(4_000_000),
    "bytes between its segments": lambda: with_fill(19_000_000),
    "bytes before its first scan": lambda: encoded("JPEG")[:20] + bytes(19_000_000),
    "chunks": lambda: with_chunks(1_600_000),
    "chunks of WebP": lambda: with_riff_chunks(2_000_000),
    "blocks": lambda: with_blocks(9_000_000),
    "strips": lambda: with_strips(2_400_000),
    "longer than itself": lambda: with_one_value_for_all_tags(4_000),
    "tags": lambda: with_one_value_for_all_tags(60_000),
    "tiles": lambda: with_tiles(8),
    "boxes": lambda: with_boxes(2_000_000),
}


@pytest.mark.parametrize("what", MANY)
def test_a_file_of_very_many_parts_is_refused_in_a_moment(what: str) -> None:
    data = MANY[what]()
    started = time.process_time()
    with pytest.raises(ImageError, match=what.removesuffix(" of WebP")) as caught:
        outline_of(data)
    assert time.process_time() - started < MOMENT_S
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "data",
    [with_scans(60), with_segments(300), with_fill(900), with_chunks(6_000), with_blocks(60_000)],
    ids=["scans", "segments", "fill", "chunks", "blocks"],
)
def test_what_a_thorough_program_writes_is_no_bomb(data: bytes) -> None:
    outline = outline_of(data)
    assert (outline.width, outline.height) == Image.open(io.BytesIO(data)).size


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP"])
def test_an_ordinary_photo_is_decoded_without_a_detour(kind: str) -> None:
    data = encoded(kind, (1_200, 900))
    outline = outline_of(data)
    assert (outline.width, outline.height) == (1_200, 900)
    assert is_small(outline, CAP, 224)


@pytest.mark.parametrize(
    "data",
    [
        encoded("JPEG", (5_000, 4_000), progressive=True),
        with_scans(60),
        encoded("PNG", (4_000, 3_000), "L"),
        encoded("TIFF"),
        encoded("JPEG2000"),
        encoded("JPEG", icc_profile=b"mpet" * 30),
        encoded("PNG", icc_profile=b"x" * 300_000),
        encoded("JPEG", exif=b"Exif\0\0" + with_one_value_for_all_tags(40)[:60_000]),
    ],
    ids=["large", "scans", "large png", "tiff", "jpeg 2000", "chain", "profile", "exif"],
)
def test_what_may_take_long_is_decoded_where_it_can_be_ended(data: bytes) -> None:
    outline = outline_of(data)
    small = is_small(outline, CAP, None)
    assert not small or outline.width * outline.height * outline.passes <= 8_000_000


STARTS = b"\xff\xd8\xff\xe0|\x89PNG\r\n\x1a\n|GIF89a|RIFF\0\0\0\0WEBP|BM|II*\0|MM\0*|qoif|"
STARTS += b"II\x2b\0\x08\0\0\0|\0\0\0\x18ftypheic|\xff\x4f\xff\x51|8BPS\0\1|\0\0\1\0|\n\5\1|"
STARTS += b"P6 |\x01\xda|"
MAGIC = st.sampled_from(STARTS.split(b"|"))
SOUND = [encoded(kind) for kind in ("JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "JPEG2000")]


@given(MAGIC, st.binary(max_size=300))
def test_any_bytes_have_an_outline_or_are_refused(magic: bytes, rest: bytes) -> None:
    try:
        outline = outline_of(magic + rest)
    except ImageError as error:
        assert str(error).isprintable()
    else:
        assert outline.width >= 0 and outline.height >= 0


@given(st.sampled_from(SOUND), st.integers(0, 400), st.binary(min_size=1, max_size=6))
def test_a_photo_that_lies_about_its_size_is_not_taken_for_a_small_one(
    data: bytes, place: int, written: bytes
) -> None:
    """Whatever Pillow would make of the header, what is decoded in a thread is no larger."""
    changed = data[:place] + written + data[place + len(written) :]
    try:
        outline = outline_of(changed)
        with Image.open(io.BytesIO(changed)) as image:
            pixels = image.width * image.height
    except Exception:  # refused, here or there
        return
    if is_small(outline, CAP, None):
        assert pixels <= 16_000_000 or pixels > CAP
