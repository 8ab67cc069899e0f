"""Image files that must not be read, and odd ones that must be: each with what to expect of it."""

from __future__ import annotations

import io
import os
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageCms, ImageDraw, features

MAX_PIXELS = 1_000_000
MAX_BYTES = 300_000

NOT_AN_IMAGE = "not an image"
DAMAGED = "damaged"
BROKEN = "not an image|damaged"  # how much is read before the fault is met is Pillow's affair
PIXELS = "pixels"
MISSING = "no such file"
UNREADABLE = "cannot be read"
IRREGULAR = "regular file"

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
PIXELS_OF_PNG = zlib.compress(b"\0" * 1_000)
Source = Literal["both", "folder", "table"]


@dataclass(frozen=True)
class ImageCase:
    """A file to make: `reason` is a pattern of why it is refused, empty for a good one."""

    name: str
    why: str
    make: Callable[[Path], object]
    reason: str = ""
    source: Source = "both"

    @property
    def good(self) -> bool:
        return not self.reason


def make_images(folder: Path, cases: list[ImageCase]) -> None:
    """Makes the file of each case below `folder`."""
    for case in cases:
        path = folder / case.name
        path.parent.mkdir(parents=True, exist_ok=True)
        case.make(path)


def photo(seed: str, size: tuple[int, int] = (96, 72)) -> Image.Image:
    """A drawn picture that is like no other: a coloured ground with shapes."""
    chance = random.Random(seed.encode("utf-8", "surrogateescape"))
    image = Image.new("RGB", size, _colour(chance))
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        left, top = chance.randrange(size[0]), chance.randrange(size[1])
        box = (left, top, left + chance.randint(4, 40), top + chance.randint(4, 40))
        draw.ellipse(box, fill=_colour(chance)) if chance.random() < 0.5 else draw.rectangle(
            box, fill=_colour(chance)
        )
    return image


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(kind: str, **options: Any) -> bytes:
    """A photo of noise, so that every part of the file matters."""
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    return encoded(Image.fromarray(pixels), kind, **options)


def chunk(kind: bytes, body: bytes, *, crc: int | None = None) -> bytes:
    check = zlib.crc32(kind + body) if crc is None else crc
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


def png(width: int = 8, height: int = 8, raw: bytes = PIXELS_OF_PNG, **other: int) -> bytes:
    """A PNG by hand; `raw` stands for the compressed pixels."""
    fields = (other.get("depth", 8), other.get("colour", 2), 0, 0, other.get("interlace", 0))
    header = struct.pack(">IIBBBBB", width, height, *fields)
    return (
        PNG_MAGIC
        + chunk(b"IHDR", header, crc=other.get("header_crc"))
        + chunk(b"IDAT", raw, crc=other.get("data_crc"))
        + chunk(b"IEND", b"")
    )


def with_chunk(data: bytes, kind: bytes, body: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    return data[:33] + chunk(kind, body) + data[33:]


def gif_header(width: int, height: int, rest: bytes = b"\x3b", flags: int = 0) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, flags, 0, 0) + rest


def gif_frame(width: int, height: int) -> bytes:
    return b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x4c\x01\x00\x3b"


def bmp(
    width: int, height: int, *, bits: int = 24, compression: int = 0, offset: int = 54
) -> bytes:
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + 192, 0, 0, offset) + info + b"\0" * 192


def tiff(*entries: tuple[int, int, int, int], following: int = 0, magic: bytes = b"II*\0") -> bytes:
    """A TIFF of one directory; an entry is (tag, type, count, value)."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    directory = struct.pack("<H", len(entries)) + body + struct.pack("<I", following)
    return magic + struct.pack("<I", 8) + directory


def grey_tiff(width: int, height: int, *, offset: int = 8, count: int = 64) -> bytes:
    values = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: offset, 278: height, 279: count}
    return tiff(*((tag, 4, 1, value) for tag, value in values.items()))


def webp_lossless(width: int, height: int) -> bytes:
    """A lossless WebP that only says its size."""
    size = (width - 1) | (height - 1) << 14
    body = b"VP8L" + struct.pack("<I", 10) + b"\x2f" + struct.pack("<I", size) + b"\0" * 5
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def jpeg_sized(data: bytes, width: int, height: int) -> bytes:
    """A JPEG with another size in its frame header."""
    start = data.index(b"\xff\xc0") + 5
    return data[:start] + struct.pack(">HH", height, width) + data[start + 4 :]


def _colour(chance: random.Random) -> tuple[int, int, int]:
    return chance.randrange(256), chance.randrange(256), chance.randrange(256)


def _bytes(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def _cut(data: bytes, kept: float) -> Callable[[Path], object]:
    return _bytes(data[: int(len(data) * kept)])


def _saved(
    kind: str, mode: str = "RGB", behind: bytes = b"", **options: Any
) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(
        encoded(photo(path.name).convert(mode), kind, **options) + behind
    )


def _link(target: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(target)


def _bad(reason: str, why: str, **named: Callable[[Path], object]) -> list[ImageCase]:
    return [
        ImageCase(f"bad/{name.replace('__', '.')}", why, make, reason)
        for name, make in named.items()
    ]


def _random_bytes(magic: bytes) -> Callable[[Path], object]:
    return _bytes(magic + random.Random(magic).randbytes(2_000))


def _renamed() -> list[ImageCase]:
    return _bad(
        NOT_AN_IMAGE,
        "another kind of file under the name of an image",
        html__jpg=_bytes(b"<!doctype html><title>404</title><p>Not found"),
        text__jpg=_bytes(b"this is not the photo you are looking for\n"),
        svg__png=_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"),
        eps__jpg=_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n"),
        pdf__jpg=_bytes(b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n%%EOF\n"),
        zip__jpg=_bytes(b"PK\x05\x06" + b"\0" * 18),
        elf__jpg=_bytes(b"\x7fELF\x02\x01\x01" + b"\0" * 57),
        xbm__jpg=_bytes(b"#define x_width 8\n#define x_height 1\nstatic char x_bits[] = {0xff};\n"),
        nul__jpg=_bytes(b"\0" * 4_096),
        random__jpg=_random_bytes(b""),
        one_byte__jpg=_bytes(b"\xff"),
        magic_only__jpg=_bytes(b"\xff\xd8\xff"),
        magic_only__png=_bytes(PNG_MAGIC),
        magic_only__gif=_bytes(b"GIF89a"),
        magic_only__tif=_bytes(b"II*\0"),
        magic_only__webp=_bytes(b"RIFF\x04\0\0\0WEBP"),
        markers__jpg=_bytes(b"\xff\xd8" + b"\xff\xe0\x00\x02" * 50 + b"\xff\xd9"),
        fill_bytes__jpg=_bytes(b"\xff" * 5_000),
        noise_after__jpg=_random_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF\0"),
        noise_after__png=_random_bytes(PNG_MAGIC),
        noise_after__tif=_random_bytes(b"MM\0*"),
        noise_after__avif=_random_bytes(b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf"),
    )


def _truncated() -> list[ImageCase]:
    kinds = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "tif": "TIFF", "bmp": "BMP"}
    cases = []
    for suffix, kind in kinds.items():
        for kept in (0.3, 0.6, 0.9):
            name = f"bad/cut_at_{kept:.0%}.{suffix}"
            cases.append(ImageCase(name, "truncated", _cut(noise(kind), kept), DAMAGED))
        cases.append(ImageCase(f"bad/head.{suffix}", "cut", _bytes(noise(kind)[:20]), BROKEN))
    return cases


def _damaged() -> list[ImageCase]:
    return _bad(
        BROKEN,
        "the header or the data contradict themselves",
        header_crc__png=_bytes(png(header_crc=1)),
        zero_wide__png=_bytes(png(0, 8)),
        zero_high__png=_bytes(png(8, 0)),
        no_such_depth__png=_bytes(png(depth=3)),
        zero_high__jpg=_bytes(jpeg_sized(noise("JPEG"), 64, 0)),
        zero_wide__jpg=_bytes(jpeg_sized(noise("JPEG"), 0, 64)),
        no_frame__gif=_bytes(gif_header(8, 8)),
        no_colours__gif=_bytes(gif_header(8, 8, b"", flags=0x87)),
        cut_colours__gif=_bytes(gif_header(8, 8, b"\1\2\3" * 9, flags=0x87)),
        cyclic__tif=_bytes(tiff(following=8)),
        no_tags__tif=_bytes(tiff()),
        far_directory__tif=_bytes(b"II*\0" + struct.pack("<I", 0xFFFFFFF0)),
        many_tags__tif=_bytes(b"II*\0" + struct.pack("<IH", 8, 0xFFFF) + b"\0" * 50),
        no_such_bits__bmp=_bytes(bmp(8, 8, bits=7)),
        no_such_compression__bmp=_bytes(bmp(8, 8, compression=77)),
        wrong_length__webp=_bytes(b"RIFF" + struct.pack("<I", 9) + noise("WEBP")[8:]),
        wrong_chunk__webp=_bytes(noise("WEBP").replace(b"VP8 ", b"VP9 ")),
        nothing_in_it__psd=_bytes(
            b"8BPS\0\1" + b"\0" * 6 + struct.pack(">HIIHH", 3, 9, 9, 8, 3) + b"\0" * 99
        ),
    ) + _bad(
        DAMAGED,
        "the pixels cannot be had",
        data_is_noise__png=_bytes(png(raw=bytes(range(200)))),
        data_too_short__png=_bytes(png(64, 64, raw=zlib.compress(b"\0" * 99))),
        no_data__png=_bytes(PNG_MAGIC + png()[8:33] + chunk(b"IEND", b"")),
        bomb_in_ztxt__png=_bytes(
            with_chunk(png(), b"zTXt", b"c\0\0" + zlib.compress(b"a" * 90_000_000, 9))
        ),
        far_strip__tif=_bytes(grey_tiff(8, 8, offset=0x7FFFFFF0)),
        giant_strip__tif=_bytes(grey_tiff(900, 900, count=0x7FFFFFF0)),
        far_pixels__bmp=_bytes(bmp(8, 8, offset=0x7FFFFFF0)),
        no_pixels__bmp=_bytes(bmp(900, 900)),
        no_pixels__gif=_bytes(gif_header(900, 900, gif_frame(900, 900))),
    )


def _bombs() -> list[ImageCase]:
    return _bad(
        PIXELS,
        "a small file that says it is huge",
        colours__png=_bytes(png(50_000, 50_000)),
        one_bit__png=_bytes(png(65_000, 65_000, depth=1, colour=0)),
        largest__png=_bytes(png(2**31 - 1, 2**31 - 1)),
        interlaced__png=_bytes(png(30_000, 30_000, interlace=1)),
        bomb__jpg=_bytes(jpeg_sized(noise("JPEG"), 65_500, 65_500)),
        bomb__gif=_bytes(gif_header(65_535, 65_535, gif_frame(65_535, 65_535))),
        bomb__tif=_bytes(grey_tiff(60_000, 60_000)),
        bomb__bmp=_bytes(bmp(60_000, 60_000)),
        negative__bmp=_bytes(bmp(-8, 8)),
        upside_down__bmp=_bytes(bmp(60_000, -60_000)),
        bomb__webp=_bytes(webp_lossless(16_383, 16_383)),
        whole__png=lambda path: Image.new("1", (9_000, 9_000)).save(path),
        just_over__png=lambda path: Image.new("L", (1_001, 1_000)).save(path),
    )


def _sparse(path: Path) -> None:
    with path.open("wb") as handle:
        handle.truncate(10**11)


def _not_files() -> list[ImageCase]:
    cases = [
        *_bad("empty", "zero bytes", empty__jpg=_bytes(b""), empty__png=_bytes(b"")),
        *_bad(IRREGULAR, "would never end", pipe__jpg=os.mkfifo, zero__jpg=_link("/dev/zero")),
        *_bad(MISSING, "leads nowhere", dangling__jpg=_link("nowhere.jpg")),
        *_bad(UNREADABLE, "leads to itself", loop__jpg=_link("loop.jpg")),
        *_bad(
            "bytes, more than",
            "over the cap",
            heavy__bmp=lambda path: path.write_bytes(noise("BMP") + b"\0" * MAX_BYTES),
            sparse__png=_sparse,
        ),
        ImageCase("bad/folder.jpg", "a folder", Path.mkdir, IRREGULAR, "table"),
        ImageCase("bad/absent.jpg", "there is none", lambda _: None, MISSING, "table"),
        ImageCase(os.fsdecode(b"bad/caf\xe9.png"), "its name", _saved("PNG"), "UTF-8", "folder"),
    ]
    if os.geteuid() != 0:
        cases += _bad(UNREADABLE, "no permission", locked__jpg=partial(Path.touch, mode=0))
    return cases


def _grey(dtype: str, scale: float) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        values = np.asarray(photo(path.name).convert("F")) * scale
        Image.fromarray(values.astype(dtype)).save(path)

    return make


def _frames(kind: str, **options: Any) -> Callable[[Path], object]:
    def make(path: Path) -> None:
        others = [photo(f"{path.name} {n}") for n in range(3)]
        path.write_bytes(
            encoded(photo(path.name), kind, save_all=True, append_images=others, **options)
        )

    return make


def _rgba(kind: str, mode: str = "RGBA") -> Callable[[Path], object]:
    def make(path: Path) -> None:
        image = photo(path.name).convert(mode)
        image.putalpha(photo(f"alpha of {path.name}").convert("L"))
        path.write_bytes(encoded(image, kind))

    return make


def _png_with(kind: bytes, body: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(with_chunk(encoded(photo(path.name), "PNG"), kind, body))


def _good() -> list[ImageCase]:
    turned = Image.Exif()
    turned[0x0112] = 6
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    makers: dict[str, Callable[[Path], object]] = {
        "cmyk.jpg": _saved("JPEG", "CMYK"),
        "grey.jpg": _saved("JPEG", "L"),
        "progressive.jpg": _saved("JPEG", progressive=True),
        "turned by exif.jpg": _saved("JPEG", exif=turned),
        "broken exif.jpg": _saved("JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage"),
        "cyclic exif.jpg": _saved("JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\x08\0\0\0"),
        "garbage profile.jpg": _saved("JPEG", icc_profile=b"\x07garbage" * 50),
        "profile of another mode.jpg": _saved("JPEG", "L", icc_profile=srgb),
        "trailing junk.jpg": _saved("JPEG", behind=b"<?php system($_GET[0]); ?>" * 20),
        "several.mpo": _frames("MPO"),
        "16 bits.png": _grey("uint16", 257),
        "clear palette.png": lambda path: photo("p").quantize(16).save(path, transparency=0),
        "one bit.png": _saved("PNG", "1"),
        "grey and alpha.png": _rgba("PNG", "LA"),
        "garbage profile.png": _png_with(b"iCCP", b"name\0\0garbage"),
        "wrong checksum.png": lambda path: path.write_bytes(
            png(raw=zlib.compress(b"\0" + b"\x37\x99\xe1" * 8 + b"\0" * 175), data_crc=1)
        ),
        "more data than pixels.png": lambda path: path.write_bytes(
            png(raw=zlib.compress((b"\0" + b"\xc3\x0f\x55" * 8) * 8 + b"\0" * 20_000_000))
        ),
        "unknown chunk.png": _png_with(b"juNk", b"\xff" * 99),
        "trailing junk.png": _saved("PNG", behind=b"\0" * 999),
        "strip.png": lambda path: photo(path.name, (1, 2_000)).save(path),
        "one pixel.png": lambda path: photo(path.name, (1, 1)).save(path),
        "just under the cap.png": lambda path: photo(path.name, (1_000, 1_000)).save(path),
        "animated.gif": _frames("GIF"),
        "animated.webp": _frames("WEBP"),
        "pages.tif": _frames("TIFF"),
        "floats.tif": _grey("float32", 1 / 255),
        "compressed.tiff": _saved("TIFF", compression="tiff_lzw"),
        "with alpha.webp": _rgba("WEBP"),
        "upside down.bmp": _saved("BMP"),
        "png named.jpg": _saved("PNG"),
        "jpeg2000 named.jpg": _saved("JPEG2000"),
        "targa named.png": _saved("TGA"),
        "netpbm.ppm": _saved("PPM"),
        "paintbrush.pcx": _saved("PCX"),
        "icon.ico": _saved("ICO", sizes=[(64, 48)]),
        "without its end mark.jpg": lambda path: path.write_bytes(
            encoded(photo(path.name), "JPEG")[:-2]
        ),
        "UPPER CASE.JPG": _saved("JPEG"),
        ".hidden.png": _saved("PNG"),
        ".hidden folder/inside.png": _saved("PNG"),
        "Grüße 😀 кружка.png": _saved("PNG"),
        "שלום‮.png": _saved("PNG"),
        "50%25 off & more;.png": _saved("PNG"),
        "'; DROP TABLE product; --.png": _saved("PNG"),
        "ü" * 110 + ".png": _saved("PNG"),
    }
    if features.check("avif"):
        makers["modern.avif"] = _saved("AVIF")
    return [ImageCase(f"good/{name}", "odd, but a photo", make) for name, make in makers.items()]


def all_images() -> list[ImageCase]:
    """Every case, good and bad."""
    return [*_renamed(), *_truncated(), *_damaged(), *_bombs(), *_not_files(), *_good()]
