"""Photos as files: which are, where a row's photo lies, and their bytes, within a limit."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from retrieval.errors import ImageError
from retrieval.images.kinds import read_suffixes
from retrieval.images.spelling import in_other_case, spellings

SUFFIXES = read_suffixes()

# Opening a pipe would wait for its writer, and a terminal could become this process's own.
_LOOKING = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_READ_AT_ONCE = 1 << 20


def read_photo_bytes(
    path: Path, max_bytes: int, *, setting: str | None = "max_image_bytes"
) -> bytes:
    """The bytes of an image file: the one way in which photos are read from a disk.

    What is opened is looked at before it is read, and by the opened file itself: a path may lead
    elsewhere a moment later. A file that grows while it is read is read up to the limit.

    Args:
        setting: that `max_bytes` comes from.

    Raises:
        ImageError: missing, not a regular file (a pipe or a device would never end), empty, too
            large, or not readable.
    """
    try:
        # Devices are not even opened, as that alone makes some of them act.
        _refuse_irregular(path.stat().st_mode)
        descriptor = os.open(path, _LOOKING)
        try:
            status = os.fstat(descriptor)
            _refuse_irregular(status.st_mode)
            if status.st_size > max_bytes:
                raise _too_heavy(f"{status.st_size:,}", max_bytes, setting)
            data = _read_all(descriptor, max_bytes + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise ImageError("no such file; check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError(f"cannot be read ({reason})") from None
    if len(data) > max_bytes:
        raise _too_heavy(f"more than {max_bytes:,}", max_bytes, setting)
    if not data:
        raise ImageError("the file is empty; export the photo again")
    return data


def _refuse_irregular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise ImageError("not a regular file; give the path of an image")


def _read_all(descriptor: int, most: int) -> bytes:
    parts = []
    while most > 0 and (part := os.read(descriptor, min(most, _READ_AT_ONCE))):
        parts.append(part)
        most -= len(part)
    return b"".join(parts)


def _too_heavy(size: str, max_bytes: int, setting: str | None) -> ImageError:
    advice = f" or raise {setting}" if setting else ""
    return ImageError(f"{size} bytes, more than the {max_bytes:,} allowed; make it smaller{advice}")


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
