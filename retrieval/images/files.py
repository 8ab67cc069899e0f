"""Photos as files: which are, where a row's photo lies, and their bytes, within a limit."""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path

from retrieval.errors import ImageError
from retrieval.images.spelling import in_other_case, spellings

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .mpo .png .webp .gif .tif .tiff .bmp .avif .heic .heif".split()
)


def read_photo_bytes(path: Path, max_bytes: int) -> bytes:
    """The bytes of an image file.

    Raises:
        ImageError: missing, not a regular file (a pipe or a device would never end), empty, too
            large, or not readable.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("not a regular file; give the path of an image")
        if status.st_size > max_bytes:
            raise ImageError(
                f"{status.st_size:,} bytes, more than the {max_bytes:,} allowed; "
                "make it smaller or raise max_image_bytes"
            )
        data = path.read_bytes()
    except FileNotFoundError:
        raise ImageError("no such file; check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"cannot be read ({reason})") from None
    if not data:
        raise ImageError("the file is empty; export the photo again")
    return data


def find_image(base: Path, written: str) -> Path:
    """The file that a source means by `written`, relative to `base`.

    Where there is none, the spellings are tried that moving a catalog between systems leaves
    behind: Windows separators, other Unicode compositions, percent signs, `file:` addresses, and
    another case. Not found at all, the path comes back as it was said.
    """
    for ignore_case in (False, True):
        for spelling in spellings(written):
            with contextlib.suppress(OSError, ValueError):
                candidate = in_other_case(base, spelling) if ignore_case else base / spelling
                if candidate is not None and candidate.exists():
                    return candidate
    return base / written
