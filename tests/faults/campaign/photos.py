"""Photos that are much work for few bytes, or not what they say: generated, each by its number."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from itertools import islice

from PIL import Image

from tests.faults.hostile_images import (
    PNG_MAGIC,
    bmp,
    chunk,
    encoded,
    gif_header,
    grey_tiff,
    jpeg_sized,
    noise,
    photo,
    png,
    webp_lossless,
    with_chunk,
)

Make = Callable[[random.Random], bytes]


def hostile_photos(count: int, seed: int) -> list[tuple[str, str, bytes]]:
    """(kind, suffix, file) of so many; the kinds take turns, and each grows with its rounds."""
    chance = random.Random(seed)
    turns = ((name, KINDS[name]) for _ in range(count) for name in KINDS)
    return [(name, suffix, make(chance)) for name, (suffix, make) in islice(turns, count)]


def repeated_scans(chance: random.Random) -> bytes:
    """A progressive JPEG whose last scan is there many times more."""
    size = (chance.randrange(2_000, 7_000), chance.randrange(2_000, 5_000))
    buffer = io.BytesIO()
    Image.new("RGB", size, (200, chance.randrange(256), 60)).save(
        buffer, "JPEG", progressive=True, quality=50
    )
    data = buffer.getvalue()
    start, end = _last_scan(data)
    return data[:end] + data[start:end] * chance.randrange(200, 1_500) + data[end:]


def _last_scan(data: bytes) -> tuple[int, int]:
    """Where the last scan of a JPEG begins and ends."""
    place, last = 2, (0, 0)
    while data[place + 1] != 0xD9:
        begin, is_scan = place, data[place + 1] == 0xDA
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if is_scan:
            while data[place] != 0xFF or data[place + 1] in (0, *range(0xD0, 0xD8)):
                place += 1
            last = begin, place
    return last


def many_strips(chance: random.Random) -> bytes:
    """A TIFF with a strip for each row, all of them the same bytes."""
    count = chance.randrange(50_000, 400_000)
    tags = {256: 16, 257: count, 258: 8, 259: 1, 262: 1, 273: -1, 277: 1, 278: 1, 279: -1}
    pixels = 8 + 2 + 12 * len(tags) + 4
    lists = {273: pixels + 16, 279: pixels + 16 + 4 * count}
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    for tag, value in tags.items():
        many = tag in lists
        head += struct.pack("<HHII", tag, 4, count if many else 1, lists.get(tag, value))
    body = b"\x80" * 16 + struct.pack("<I", pixels) * count + struct.pack("<I", 16) * count
    return head + b"\0\0\0\0" + body


def many_chunks(chance: random.Random) -> bytes:
    """A PNG behind very many empty chunks."""
    whole = encoded(photo(str(chance.random())), "PNG")
    return whole[:33] + chunk(b"teSt", b"") * chance.randrange(100_000, 800_000) + whole[33:]


def many_frames(kind: str) -> Make:
    """An animation of which every frame may be looked at."""

    def make(chance: random.Random) -> bytes:
        frames = [
            Image.new("RGB", (64, 64), (number % 256, chance.randrange(256), number // 256))
            for number in range(chance.randrange(100, 600))
        ]
        return encoded(frames[0], kind, save_all=True, append_images=frames[1:])

    return make


def huge(chance: random.Random) -> bytes:
    """A header that tells of far more pixels than there are."""
    width, height = chance.randrange(20_000, 65_000), chance.randrange(20_000, 65_000)
    makers = (
        lambda: png(width, height),
        lambda: jpeg_sized(noise("JPEG"), width, height),
        lambda: gif_header(width, height),
        lambda: grey_tiff(width, height),
        lambda: bmp(width, height),
        lambda: webp_lossless(16_383, 16_000),
    )
    return chance.choice(makers)()


def truncated(chance: random.Random) -> bytes:
    whole = encoded(photo(str(chance.random()), (900, 700)), chance.choice(("JPEG", "PNG", "WEBP")))
    return whole[: chance.randrange(20, len(whole))]


def garbage_profile(chance: random.Random) -> bytes:
    body = b"name\0\0" + zlib.compress(chance.randbytes(200_000))
    return with_chunk(encoded(photo(str(chance.random())), "PNG"), b"iCCP", body)


def garbage_exif(chance: random.Random) -> bytes:
    """Directories that point at one another, and at nothing."""
    exif = b"Exif\0\0II*\0\x08\0\0\0" + chance.randbytes(60_000)
    return encoded(photo(str(chance.random())), "JPEG", exif=exif)


def polyglot(chance: random.Random) -> bytes:
    """A photo that is a page, a script or an archive as well."""
    behind = chance.choice((b"<script>alert(1)</script>", b"PK\x05\x06" + b"\0" * 18, b"%PDF-1.7"))
    kind = chance.choice(("JPEG", "PNG", "GIF"))
    return encoded(photo(str(chance.random())), kind) + behind * chance.randrange(1, 9_000)


def bomb(chance: random.Random) -> bytes:
    """As many pixels as a photo may have, in a file of kilobytes."""
    side = chance.randrange(4_000, 6_200)
    rows = zlib.compress(b"\0" * (side * 3 + 1) * side, 9)
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return PNG_MAGIC + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


KINDS: dict[str, tuple[str, Make]] = {
    "repeated scans": (".jpg", repeated_scans),
    "many strips": (".tif", many_strips),
    "many chunks": (".png", many_chunks),
    "many frames, GIF": (".gif", many_frames("GIF")),
    "many frames, WebP": (".webp", many_frames("WEBP")),
    "huge dimensions": (".png", huge),
    "truncated": (".jpg", truncated),
    "garbage ICC": (".png", garbage_profile),
    "garbage EXIF": (".jpg", garbage_exif),
    "polyglot": (".jpg", polyglot),
    "a bomb within the limit": (".png", bomb),
}
