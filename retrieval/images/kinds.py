"""Kinds of pictures: which are read, by what, and which are not, though they are pictures.

Read is what a decoder of pixels makes of bytes. Never what runs programs or follows addresses:
PostScript, PDF, SVG, documents of editors.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from PIL import features


@dataclass(frozen=True)
class Kind:
    """A kind of picture.

    Attributes:
        suffixes: of its files, lower case.
        formats: Pillow's names of it; none where Pillow does not read it.
        feature: of Pillow, which may have been built without it.
        extra: of this package, that installs what reads it; None where nothing is missing.
        module: that the extra brings.
    """

    name: str
    suffixes: str
    formats: tuple[str, ...] = ()
    feature: str | None = None
    extra: str | None = None
    module: str | None = None

    @property
    def is_read(self) -> bool:
        """Whether what reads it is installed here."""
        if self.module is not None:
            return importlib.util.find_spec(self.module) is not None
        return self.feature is None or bool(features.check(self.feature))


KINDS = (
    Kind("JPEG", ".jpg .jpeg .jpe .jfif .mpo", ("JPEG", "MPO")),
    Kind("PNG", ".png .apng", ("PNG",)),
    Kind("WEBP", ".webp", ("WEBP",), "webp"),
    Kind("GIF", ".gif", ("GIF",)),
    Kind("TIFF", ".tif .tiff", ("TIFF",)),
    Kind("BMP", ".bmp", ("BMP",)),
    Kind("AVIF", ".avif", ("AVIF",), "avif"),
    Kind("HEIF", ".heic .heif .hif", ("HEIF",), extra="heif", module="pillow_heif"),
    Kind("JPEG2000", ".jp2 .j2k .j2c .jpc .jpf .jpx", ("JPEG2000",), "jpg_2000"),
    Kind("JXL", ".jxl", ("JXL",), extra="jxl", module="pillow_jxl"),
    Kind("PPM", ".ppm .pgm .pbm .pnm .pfm", ("PPM",)),
    Kind("PSD", ".psd", ("PSD",)),
    Kind("TGA", ".tga", ("TGA",)),
    Kind("ICO", ".ico", ("ICO",)),
    Kind("PCX", ".pcx", ("PCX",)),
    Kind("QOI", ".qoi", ("QOI",)),
    Kind("SGI", ".sgi .rgb .rgba .bw", ("SGI",)),
    Kind(
        "RAW",
        ".3fr .arw .cr2 .cr3 .dng .erf .iiq .kdc .mrw .nef .nrw .orf .pef .raf .rw2 .srw .x3f",
        extra="raw",
        module="rawpy",
    ),
)
# Pictures all the same: who finds none of them in an index is told that they were passed over.
NEVER_READ = frozenset(
    ".afphoto .ai .cdr .dds .emf .eps .exr .hdr .indd .jxr .kra .ora .ps .psb .sketch .svg .svgz "
    ".wdp .wmf .xcf".split()
)
BY_NAME: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}
_BY_SUFFIX = {suffix: kind for kind in KINDS for suffix in kind.suffixes.split()}
# A row for each, also where they cannot be read here: their products are found by their names.
_ALWAYS = frozenset(".heic .heif".split())


def cannot_be_read(kind: Kind) -> str:
    """A line on a picture whose kind is not read here."""
    advice = f", or `pip install 'retrieval[{kind.extra}]'`" if kind.extra else ""
    return f"a picture of the kind {kind.name}, which is not read here; export it as JPEG{advice}"


@cache
def read_suffixes() -> frozenset[str]:
    """Suffixes of the files that a folder is looked through for."""
    return _ALWAYS | {suffix for suffix, kind in _BY_SUFFIX.items() if kind.is_read}


@cache
def passed_over_suffixes() -> frozenset[str]:
    """Suffixes of pictures that are not read here."""
    return (NEVER_READ | set(_BY_SUFFIX)) - read_suffixes()


def told_by_kind(counts: Mapping[str, int]) -> str:
    """Counts by suffix as people read them, the most first: `400 .jxl, 12 .svg`."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count:,} {suffix}" for suffix, count in ordered)


def told_passed_over(counts: Mapping[str, int]) -> str:
    """A line on pictures that were passed over, with what would read them."""
    total = sum(counts.values())
    files = "file" if total == 1 else "files"
    kinds = {_BY_SUFFIX[suffix] for suffix in counts if suffix in _BY_SUFFIX}
    advice = sorted(
        f"`pip install 'retrieval[{kind.extra}]'` reads "
        + " ".join(sorted(suffix for suffix in counts if _BY_SUFFIX.get(suffix) == kind))
        for kind in kinds
        if kind.extra
    )
    return "; ".join([f"{total:,} {files} passed over: {told_by_kind(counts)}", *advice])
