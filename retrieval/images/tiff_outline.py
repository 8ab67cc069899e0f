"""How many parts a TIFF or an Exif block has, which is a small TIFF: told without reading them."""

from __future__ import annotations

import struct

from retrieval.errors import ImageError

MAGIC = (b"II*\0", b"MM\0*", b"II\x2b\0", b"MM\0\x2b")
# A row a strip, of three planes, up to 30,000 rows.
MOST_STRIPS = 100_000
MOST_TAGS = 4_096
# Values of tags lie apart from each other, so they are no longer than the file; some programs let
# two of them share a place.
MOST_TIMES_THE_FILE = 4
# An Exif block within a JPEG has 64 kB at most; other formats set no bound.
PLAIN_EXIF = 262_144

_WIDTH, _HEIGHT, _SUB = 256, 257, 34665
_PARTS = {273: "strips", 279: "strips", 324: "tiles", 325: "tiles"}
_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_BYTES |= {16: 8, 17: 8, 18: 8}


def check(data: bytes) -> tuple[int, int]:
    """Width and height of the first picture of a TIFF; 0 where they are not told.

    Raises:
        ImageError: it has more strips, tiles or tags than a photo has, or values that are longer
            than itself.
    """
    order = "<" if data[:2] == b"II" else ">"
    big = 43 in data[2:4]
    if big:
        (start,) = struct.unpack_from(f"{order}Q", data, 8)
        (count,) = struct.unpack_from(f"{order}Q", data, start)
        start += 8
    else:
        (start,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, start)
        start += 2
    length = 20 if big else 12
    sides = {_WIDTH: 0, _HEIGHT: 0}
    total = 0
    for number in range(min(count, MOST_TAGS + 1)):
        if number == MOST_TAGS:
            raise _refuse(MOST_TAGS, "tags")
        place = start + number * length
        if place + length > len(data):
            break
        tag, kind = struct.unpack_from(f"{order}HH", data, place)
        (values,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", data, place + 4)
        if tag in _PARTS and values > MOST_STRIPS:
            raise _refuse(MOST_STRIPS, _PARTS[tag])
        if tag in sides and kind in (3, 4):
            at = place + length - (8 if big else 4)
            (sides[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, at)
        total += values * _BYTES.get(kind, 0)
        if values * _BYTES.get(kind, 0) > len(data):
            # It cannot be there; whoever reads it is told so, and reads none of it.
            total -= values * _BYTES.get(kind, 0)
        if total > MOST_TIMES_THE_FILE * len(data) + 65_536:
            raise ImageError("its tags are longer than itself; export it again")
    return sides[_WIDTH], sides[_HEIGHT]


def is_plain(block: bytes) -> bool:
    """Whether an Exif block can be read in a moment; one that is broken can."""
    if len(block) > PLAIN_EXIF:
        return False
    if block[:4] not in MAGIC:
        return True
    try:
        check(block)
    except ImageError:
        return False
    except struct.error:
        return True
    return True


def _refuse(count: int, what: str) -> ImageError:
    return ImageError(
        f"made of more than {count:,} {what}, which no photo is; export it again from a program "
        "for pictures"
    )


def tags_of(data: bytes) -> set[int]:
    """The tags of the first picture of a TIFF; none of a large one (BigTIFF)."""
    order = "<" if data[:2] == b"II" else ">"
    if 43 in data[2:4]:
        return set()
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    places = range(start + 2, start + 2 + 12 * min(count, MOST_TAGS), 12)
    return {struct.unpack_from(f"{order}H", data, place)[0] for place in places}
