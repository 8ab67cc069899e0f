"""What decoding a photo would cost, told by its headers alone, before anything is decoded.

A small file can be much work: the scans of a JPEG go over all of its pixels again and again, each
strip of a TIFF and each chunk of a PNG is read by itself. Everything here is linear in the length
of the file, and ends where a limit is met. The limits are far above what cameras, phones and
programs write. Of 2,548 photos of shops none has more than 10 scans and 24 segments.

What is `plain` costs no more than its pixels say, so it may be decoded within a thread, which
nothing can stop. All else belongs into a process that can be ended.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from retrieval.errors import ImageError
from retrieval.images import tiff_outline

# Encoders write 10 scans as a rule, and up to some thirty where they search for the shortest file.
MOST_SCANS = 100
# Of a JPEG: tables, profiles of 16 MB (255 segments), tables between scans.
MOST_SEGMENTS = 5_000
# Encoders of PNG write 8 kB a chunk, which makes 6,200 of 50 MB.
MOST_CHUNKS = 50_000
# Comments of a GIF are cut into blocks of 255 bytes: 16 MB of them.
MOST_BLOCKS = 65_536
# Between markers of a JPEG, where there should be none at all.
MOST_JUNK = 65_536
# A photo of a phone has some hundred: its tiles, its depth, its thumbnail.
MOST_BOXES = 20_000
MOST_TILES = 65_536
# There is no picture of fewer.
LEAST_BYTES = 24
NOT_AN_IMAGE = "not an image that can be read (JPEG, PNG, WebP, GIF, ...)"

# Of colour profiles: those of screens and cameras have up to 4 kB, those of presses much more.
PLAIN_PROFILE = 65_536
PLAIN_TEXTS = 1_000_000
_MOST_ICC = 1 << 20

_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_PLAIN_FRAMES = frozenset((0xC0, 0xC1, 0xC2))  # Huffman-coded, of 8 bits
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_END, _SCAN = 0xD9, 0xDA
_BOX_OF_J2K = b"\0\0\0\x0cjP  \r\n\x87\n"
_BOX_OF_JXL = b"\0\0\0\x0cJXL \r\n\x87\n"
_NETPBM = re.compile(rb"P[1-6f]\s")
_PCX = (b"\0\1", b"\2\1", b"\3\1", b"\5\1")
# Of cameras whose files are no TIFF.
_RAW = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")


@dataclass(frozen=True)
class Scan:
    """One scan of a JPEG.

    Attributes:
        components: ids of its colours.
        first, last: of the coefficients that it holds.
        low: the bit that it brings them down to; 0 is the last.
        start: where its data begin, in bytes from the start of the file.
    """

    components: tuple[int, ...]
    first: int
    last: int
    low: int
    start: int


@dataclass(frozen=True)
class Outline:
    """What the headers of a photo say.

    Attributes:
        kind: as Pillow calls the format; empty where it is none that is known here.
        width, height: 0 where they are not known before it is opened.
        passes: how often decoding goes over all pixels.
        plain: its work is bounded by width * height * passes.
        scans: of a JPEG.
        progressive: of a JPEG.
        ended: of a JPEG: its end mark is there.
    """

    kind: str = ""
    width: int = 0
    height: int = 0
    passes: int = 1
    plain: bool = False
    scans: tuple[Scan, ...] = field(default=(), repr=False)
    progressive: bool = False
    ended: bool = True


def outline_of(data: bytes) -> Outline:
    """The outline of a photo; of what is cut short as far as it goes.

    Raises:
        ImageError: it is no picture that is known here, or has more scans, segments, chunks,
            blocks, strips or tiles than a photo has.
    """
    for kind, matches, read in _KINDS:
        if matches(data):
            try:
                return read(data)
            except (struct.error, IndexError, ValueError, OverflowError):
                # Cut within a header: the decoder says what is wrong.
                return Outline(kind, plain=len(data) <= LEAST_BYTES)
    raise ImageError(NOT_AN_IMAGE)


def _refuse(count: int, what: str) -> ImageError:
    return ImageError(
        f"made of more than {count:,} {what}, which no photo is; export it again from a program "
        "for pictures"
    )


def _jpeg(data: bytes) -> Outline:
    outline = Outline("JPEG", plain=True, ended=False)
    scans: list[Scan] = []
    segments, place = 0, 2
    profile = bytearray()
    while match := _MARKER.search(data, place):
        if not scans and match.start() - place > MOST_JUNK:
            raise _refuse(MOST_JUNK, "bytes between its segments")
        code, place = data[match.start() + 1], match.end()
        if code == _END:
            outline = replace(outline, ended=True)
            break
        segments += 1
        if segments > MOST_SEGMENTS:
            raise _refuse(MOST_SEGMENTS, "segments")
        if code in (0x01, 0xD8):  # stand alone
            continue
        (length,) = struct.unpack_from(">H", data, place)
        body = data[place + 2 : place + length]
        place += max(2, length)
        if code in _FRAMES:
            height, width = struct.unpack_from(">HH", body, 1)
            plain = outline.plain and code in _PLAIN_FRAMES and body[0] == 8 and body[5] <= 4
            outline = replace(outline, plain=plain, progressive=code == 0xC2)
            if width * height >= outline.width * outline.height:
                outline = replace(outline, width=width, height=height)
        elif code == _SCAN:
            scans.append(_scan(body, place))
            if len(scans) > MOST_SCANS:
                raise _refuse(MOST_SCANS, "scans")
        elif code == 0xE1 and body[:6] == b"Exif\0\0":
            outline = replace(outline, plain=outline.plain and tiff_outline.is_plain(body[6:]))
        elif code == 0xE2 and body[:4] == b"MPF\0":
            outline = replace(outline, plain=outline.plain and tiff_outline.is_plain(body[4:]))
        elif code == 0xE2 and body[:12] == b"ICC_PROFILE\0" and len(profile) <= PLAIN_PROFILE:
            profile += body[14:]
    if not scans and len(data) - place > MOST_JUNK:
        raise _refuse(MOST_JUNK, "bytes before its first scan")
    plain = outline.plain and _is_plain_profile(bytes(profile))
    return replace(outline, passes=max(1, len(scans)), plain=plain, scans=tuple(scans))


def _scan(body: bytes, start: int) -> Scan:
    count = body[0]
    first, last, bits = body[1 + 2 * count : 4 + 2 * count]
    return Scan(tuple(body[1 : 1 + 2 * count : 2]), first, last, bits & 15, start)


def _png(data: bytes) -> Outline:
    outline = Outline("PNG", plain=True)
    texts = 0
    for name, start, length in _chunks_of_png(data):
        if name == b"IHDR":
            width, height = struct.unpack_from(">II", data, start)
            outline = replace(outline, width=width, height=height)
        elif name == b"iCCP":
            packed = data[start : start + length].partition(b"\0")[2][1:]
            try:
                profile = zlib.decompressobj().decompress(packed, _MOST_ICC)
            except zlib.error:
                continue  # it is passed over
            outline = replace(outline, plain=outline.plain and _is_plain_profile(profile))
        elif name == b"eXIf":
            plain = tiff_outline.is_plain(data[start : start + length])
            outline = replace(outline, plain=outline.plain and plain)
        elif name in (b"tEXt", b"zTXt", b"iTXt"):
            # Compressed ones may be 1,000 times as long as they are here.
            texts += length * (1 if name == b"tEXt" else 1_000)
    return replace(outline, plain=outline.plain and texts <= PLAIN_TEXTS)


def _chunks_of_png(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    place, count = 8, 0
    while place + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        count += 1
        if count > MOST_CHUNKS:
            raise _refuse(MOST_CHUNKS, "chunks")
        yield name, place + 8, length
        if name == b"IEND":
            return
        place += 12 + length


def _gif(data: bytes) -> Outline:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    place = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    blocks = 0
    while place < len(data):
        if data[place] == 0x2C:
            left, top, wide, high = struct.unpack_from("<HHHH", data, place + 1)
            return Outline("GIF", max(width, left + wide), max(height, top + high), 1, True)
        if data[place] == 0x21:
            place += 2
            while place < len(data) and data[place] and blocks <= MOST_BLOCKS:
                blocks += 1
                place += 1 + data[place]
        place += 1
        blocks += 1
        if blocks > MOST_BLOCKS:
            raise _refuse(MOST_BLOCKS, "blocks")
    return Outline("GIF", width, height)


def _webp(data: bytes) -> Outline:
    outline = Outline("WEBP", plain=True)
    place, count = 12, 0
    while place + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, place)
        start, place = place + 8, place + 8 + length + length % 2
        count += 1
        if count > MOST_CHUNKS:
            raise _refuse(MOST_CHUNKS, "chunks")
        body = data[start : start + min(length, _MOST_ICC)]
        if name == b"VP8X":
            wide = int.from_bytes(body[4:7], "little") + 1
            high = int.from_bytes(body[7:10], "little") + 1
            outline = replace(outline, width=wide, height=high)
        elif name == b"VP8 " and not outline.width:
            wide, high = struct.unpack_from("<HH", body, 6)
            outline = replace(outline, width=wide & 0x3FFF, height=high & 0x3FFF)
        elif name == b"VP8L" and not outline.width:
            (bits,) = struct.unpack_from("<I", body, 1)
            wide, high = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
            outline = replace(outline, width=wide, height=high)
        elif name == b"ICCP":
            outline = replace(outline, plain=outline.plain and _is_plain_profile(body))
        elif name == b"EXIF":
            plain = tiff_outline.is_plain(body.removeprefix(b"Exif\0\0"))
            outline = replace(outline, plain=outline.plain and plain)
    return outline


def _bmp(data: bytes) -> Outline:
    if len(data) < 34 or struct.unpack_from("<I", data, 14)[0] < 40:
        return Outline("BMP")
    width, height, _, _, compression = struct.unpack_from("<iiHHI", data, 18)
    # Runs are decoded by Pillow in Python: a byte at a time.
    return Outline("BMP", max(0, width), abs(height), 1, compression in (0, 3))


def _tiff(data: bytes) -> Outline:
    width, height = tiff_outline.check(data)
    return Outline("TIFF", width, height)


def _boxes(data: bytes) -> Outline:
    """AVIF and HEIF: only how many parts there are; their decoders look for themselves."""
    count, place = 0, 0
    while place + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, place)
        count += 1
        if count > MOST_BOXES:
            raise _refuse(MOST_BOXES, "boxes")
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, place + 8)
            head = 16
        if name in (b"meta", b"iprp", b"ipco", b"iinf", b"moov", b"trak"):
            # Counted from within; `meta` and `iinf` have a few fields before their first box.
            place += head + {b"meta": 4, b"iinf": 6}.get(name, 0)
        elif length < head:
            break  # to the end of the file, or nonsense
        else:
            place += length
    brands = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
    return Outline("AVIF" if b"avif" in brands or b"avis" in brands else "HEIF")


def _jpeg2000(data: bytes) -> Outline:
    start = data.find(b"\xff\x4f\xff\x51")
    if start < 0:
        return Outline("JPEG2000")
    wide, high, left, top, tile_wide, tile_high = struct.unpack_from(">6I", data, start + 8)
    if tile_wide and tile_high:
        tiles = -(-max(0, wide - left) // tile_wide) * -(-max(0, high - top) // tile_high)
        if tiles > MOST_TILES:
            raise _refuse(MOST_TILES, "tiles")
    return Outline("JPEG2000", max(0, wide - left), max(0, high - top))


def _of_kind(kind: str) -> Callable[[bytes], Outline]:
    return lambda _: Outline(kind)


def _is_targa(data: bytes) -> bool:
    """A TGA has no mark at its start: its header must make sense, and its length fit it."""
    if len(data) < 18 or data[1] > 1 or data[2] not in (1, 2, 3, 9, 10, 11):
        return False
    width, height, depth = struct.unpack_from("<HHB", data, 12)
    if not width or not height or depth not in (8, 16, 24, 32):
        return False
    if data[-18:-2] == b"TRUEVISION-XFILE":
        return True
    return data[2] < 9 and 18 + width * height * depth // 8 <= len(data)


def _is_plain_profile(profile: bytes) -> bool:
    """A profile of a few curves and a matrix: others may be a chain of any number of steps."""
    return len(profile) <= PLAIN_PROFILE and b"mpet" not in profile


_KINDS: tuple[tuple[str, Callable[[bytes], bool], Callable[[bytes], Outline]], ...] = (
    ("JPEG", lambda data: data[:3] == b"\xff\xd8\xff", _jpeg),
    ("PNG", lambda data: data[:8] == b"\x89PNG\r\n\x1a\n", _png),
    ("GIF", lambda data: data[:6] in (b"GIF87a", b"GIF89a"), _gif),
    ("WEBP", lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", _webp),
    ("BMP", lambda data: data[:2] == b"BM", _bmp),
    ("TIFF", lambda data: data[:4] in tiff_outline.MAGIC, _tiff),
    ("RAW", lambda data: data[4:11] == b"ftypcrx" or data.startswith(_RAW), _of_kind("RAW")),
    ("HEIF", lambda data: data[4:8] == b"ftyp", _boxes),
    ("JPEG2000", lambda data: data.startswith((b"\xff\x4f\xff\x51", _BOX_OF_J2K)), _jpeg2000),
    ("JXL", lambda data: data.startswith((b"\xff\x0a", _BOX_OF_JXL)), _of_kind("JXL")),
    ("PSD", lambda data: data[:6] == b"8BPS\0\1", _of_kind("PSD")),
    ("PPM", lambda data: _NETPBM.match(data) is not None, _of_kind("PPM")),
    ("ICO", lambda data: data[:4] == b"\0\0\1\0", _of_kind("ICO")),
    ("QOI", lambda data: data[:4] == b"qoif", _of_kind("QOI")),
    ("SGI", lambda data: data[:2] == b"\x01\xda", _of_kind("SGI")),
    ("PCX", lambda data: data[:1] == b"\n" and data[1:3] in _PCX, _of_kind("PCX")),
    ("TGA", _is_targa, _of_kind("TGA")),
)
