"""Photos that visitors searched by, kept for a while so that the address of a search works again.

They are stored as new JPEGs: no metadata, nothing hidden beside the picture, and never under a
name that a visitor chose. Nobody but the user that the server runs as may read them.

Each name ends with a tag of the client that sent the photo, so that one who sends thousands throws
out its own. The tag is the client's address under a key of this folder: it says nothing of who
that is, and is the same for every process that serves the index.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import io
import os
import re
import secrets
import stat
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from retrieval.errors import ImageError, NotFound
from retrieval.images.decoding import content_hash
from retrieval.images.pool import DecodingPool, Limits
from retrieval.images.reading import PhotoReader

KEPT_SECONDS = 7 * 24 * 3600
MAX_STORED = 2_000
# Of the number of photos and of their bytes.
SHARE_OF_A_CLIENT = 0.1
# A file that is being written is whole, or left over, by then.
PARTIAL_SECONDS = 3_600
KEY = ".key"
LONGEST_SIDE = 1_600
QUALITY = 90
_ID = re.compile(r"[0-9a-f]{32}")
_NAME = re.compile(r"[0-9a-f]{32}(?:-([0-9a-f]{16}))?\.jpg")
PRIVATE_FILE, PRIVATE_FOLDER = 0o600, 0o700


@dataclass(frozen=True)
class Kept:
    """A photo that is kept; `client` is a tag, empty where a former version kept it."""

    path: Path
    client: str
    bytes: int
    stored: float


class Uploads:
    """A folder of uploaded photos, each under the hash of its pixels."""

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        limits: Limits,
        pool: DecodingPool,
        store_bytes: int = 500_000_000,
    ) -> None:
        self._folder = folder
        self._store_bytes = store_bytes
        # A disk that cannot be written to costs visitors' photos, which are told of it then.
        with contextlib.suppress(OSError):
            make_private(folder)
            self._key()
        self._max_bytes = max_bytes
        self._photos = PhotoReader(limits, pool)

    def clean(self, data: bytes) -> tuple[bytes, str]:
        """A photo as it would be kept, and its id; nothing is stored.

        Raises:
            ImageError: too large, or not a photo that can be read.
            Overtime: too many photos are being read, or this one until its time is up.
        """
        if len(data) > self._max_bytes:
            raise ImageError(
                f"the photo has more than {self._max_bytes:,} bytes; send a smaller one"
            )
        if not data:
            raise ImageError("the photo is empty; choose another")
        pixels = self._photos.read(data, LONGEST_SIDE, LONGEST_SIDE).pixels
        return jpeg_of(pixels), content_hash(pixels)[:32]

    def add(self, data: bytes, client: str = "") -> str:
        """Stores a photo; the id to find it by.

        Args:
            client: who sent it, as `client_of` names it; pays for it with its share of the folder.

        Raises:
            ImageError: as `clean`, or it cannot be kept here just now.
        """
        kept, photo_id = self.clean(data)
        try:
            make_private(self._folder)
            path = self._folder / f"{photo_id}-{self._tag(client)}.jpg"
            write_whole(path, kept, private=True)
        except OSError:
            raise ImageError("the photo cannot be kept here just now; try again later") from None
        self._drop_some()
        return photo_id

    def get(self, photo: str) -> bytes:
        """The JPEG of an id; raises NotFound where there is none, or none any more."""
        if not _ID.fullmatch(photo):
            raise NotFound("there is no such photo; upload it again")
        for path in self._paths(photo):
            try:
                if path.stat().st_mtime >= time.time() - KEPT_SECONDS:
                    return path.read_bytes()
            except OSError:  # dropped just now
                continue
        raise NotFound("the photo is not kept any more; upload it again")

    def forget(self, photo: str) -> None:
        """Removes a photo, whoever sent it; raises NotFound where there is none."""
        self.get(photo)
        for path in self._paths(photo):
            path.unlink(missing_ok=True)

    def _paths(self, photo: str) -> list[Path]:
        return list(self._folder.glob(f"{photo}*.jpg"))

    def _tag(self, client: str) -> str:
        return hmac.new(self._key(), client.encode(), hashlib.sha256).hexdigest()[:16]

    def _key(self) -> bytes:
        """Made with the folder; raises OSError where it cannot be."""
        path = self._folder / KEY
        with contextlib.suppress(FileNotFoundError):
            return path.read_bytes()
        partial = path.with_name(f"{KEY}.{secrets.token_hex(8)}")
        try:
            write_private(partial, secrets.token_bytes(32))
            try:
                os.link(partial, path)  # unlike a move, it leaves another process's key alone
            except FileExistsError:
                pass
            except OSError:  # a file system without links
                partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return path.read_bytes()

    def _drop_some(self) -> None:
        """Drops what is too old, and the oldest of who keeps more than the limits allow."""
        photos: dict[str, list[Kept]] = defaultdict(list)
        oldest = time.time() - KEPT_SECONDS
        for kept in self._kept():
            if kept.stored < oldest:
                kept.path.unlink(missing_ok=True)
            else:
                photos[kept.client].append(kept)
        for client, those in photos.items():
            those.sort(key=lambda kept: (-kept.stored, kept.path.name))
            if client:
                share = SHARE_OF_A_CLIENT
                _shrink([those], MAX_STORED * share, self._store_bytes * share, keep=1)
        _shrink(list(photos.values()), MAX_STORED, self._store_bytes)

    def _kept(self) -> Iterator[Kept]:
        for path in self._folder.iterdir():
            named = _NAME.fullmatch(path.name)
            try:
                status = path.stat()
                if named:
                    yield Kept(path, named[1] or "", status.st_size, status.st_mtime)
                elif path.name != KEY and status.st_mtime < time.time() - PARTIAL_SECONDS:
                    path.unlink(missing_ok=True)  # begun, and never made whole
            except OSError:  # another thread was first
                continue


def _shrink(groups: list[list[Kept]], most: float, most_bytes: float, keep: int = 0) -> None:
    """Removes the last of the group that takes most, until all of them are within the limits.

    Of equals the one whose last is older.
    """
    count = sum(map(len, groups))
    sizes = [sum(kept.bytes for kept in those) for those in groups]
    while count > max(keep, most) or (count > keep and sum(sizes) > most_bytes):
        takes = sizes if sum(sizes) > most_bytes else list(map(len, groups))
        _, _, greediest = max(
            (takes[number], -those[-1].stored, number)
            for number, those in enumerate(groups)
            if those
        )
        dropped = groups[greediest].pop()
        sizes[greediest] -= dropped.bytes
        count -= 1
        dropped.path.unlink(missing_ok=True)


def make_private(folder: Path) -> None:
    """Makes a folder, if need be, that nobody else may look into, whatever the umask."""
    folder.mkdir(PRIVATE_FOLDER, parents=True, exist_ok=True)
    if stat.S_IMODE(folder.stat().st_mode) != PRIVATE_FOLDER:
        folder.chmod(PRIVATE_FOLDER)


def write_private(path: Path, data: bytes) -> None:
    """Writes a new file that nobody else can read at any moment, whatever the umask."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "wb") as file:
        os.fchmod(file.fileno(), PRIVATE_FILE)
        file.write(data)


def write_whole(path: Path, data: bytes, *, private: bool = False) -> None:
    """Writes a file so that nobody ever reads half of it; `private`: and nobody else any of it."""
    partial = path.with_name(f".{path.name}.{time.monotonic_ns()}")
    try:
        write_private(partial, data) if private else partial.write_bytes(data)
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def jpeg_of(pixels: Image.Image) -> bytes:
    """A picture as JPEG, with nothing beside its pixels."""
    pixels.info.clear()  # Pillow would write comments of the file that it came from
    buffer = io.BytesIO()
    pixels.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
