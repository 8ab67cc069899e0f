"""A disk that fills up while it is written to: told in one line, with how much is wanted."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator

from retrieval.errors import DiskFull, IndexDamaged
from retrieval.storage.entities import EncoderInfo, Manifest
from retrieval.storage.folder.catalog_reading import CatalogReader
from retrieval.storage.folder.database import catalog_path

# What SQLite and FAISS, which give no number, say of it.
_SAID = ("No space left on device", "database or disk is full", "Disk quota exceeded")
NO_ROOM = 100_000
BYTES_A_COMPONENT = 2 + 4  # float16 beside FAISS, float32 at most within


def is_of_full_disk(error: BaseException) -> bool:
    """Whether an error, of whatever library, comes of a disk that is full."""
    number = getattr(error, "errno", None)
    return number in (errno.ENOSPC, errno.EDQUOT) or any(said in str(error) for said in _SAID)


@contextlib.contextmanager
def full_disk_told(
    catalog: CatalogReader, encoder: EncoderInfo, live: Manifest | None
) -> Iterator[None]:
    """Raises DiskFull in place of what a library makes of a full disk."""
    try:
        yield
    except Exception as error:
        # FAISS says nothing of a file whose last bytes found no room: the draft cannot be read.
        free = shutil.disk_usage(catalog.index).free
        cut = isinstance(error, IndexDamaged) and free < NO_ROOM
        if not (cut or is_of_full_disk(error)):
            raise
        counts = catalog.counts()
        rows = counts["images"] + counts["texts"]
        needed = catalog_path(catalog.index).stat().st_size
        needed += rows * encoder.dim * BYTES_A_COMPONENT
        stays = "" if live is None else f"; generation {live.generation} stays live"
        raise DiskFull(
            f"the disk of {catalog.index} is full: a generation takes about "
            f"{needed / 1e6:.1f} MB, {free / 1e6:.1f} MB are free; make room and run this "
            f"again{stays}"
        ) from error
