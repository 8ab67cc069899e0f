"""A record -> what its photos and texts are now: the part of indexing that runs in threads.

A photo is decoded only where it has to be: one whose size and time of change are as stored is
taken as it was, one whose bytes are as stored keeps its vector. One that was read before and
cannot be read today is kept as it was: a disk that is not mounted must cost no vector.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from retrieval.common.text import is_unicode, text_hash
from retrieval.encoders.base import Encoder, ModelInput
from retrieval.errors import ImageError
from retrieval.images.files import find_image, read_photo_bytes
from retrieval.images.pool import DecodingPool
from retrieval.images.reading import PhotoReader, limits_of_the_user
from retrieval.images.spelling import spellings
from retrieval.indexing.unreachable import as_before, out_of_reach
from retrieval.settings import Settings
from retrieval.sources import ProductRecord, Reject
from retrieval.storage.base import Catalog
from retrieval.storage.entities import StoredImage, StoredProduct

# A file changed this shortly before it was looked at may change again within the same tick of
# the file system's clock: it is read again rather than trusted.
RACY_NS = 2_000_000_000
LOOKED_UP_AT_ONCE = 128


@dataclass(frozen=True)
class Prepared:
    """A product as it is now.

    Attributes:
        images: its photos: those that could be read, and those that could be before.
        inputs: content hash -> the model's input, for photos that were decoded.
        rejects: what of it was left out.
        notes: what is to be known of photos that were taken.
        touched: it is new, or its content differs from what is stored.
        decoded: photos that had to be decoded, as no vector of them is known.
        new_texts: texts that no vector is known of.
        visible: a search could tell the difference, be it only by the path of a photo.
        to_write: there is anything to write, be it only a file's new time of change.
        unreachable: photos that cannot be read today, and may be tomorrow.
        without_vector: of `images`, those that cannot be read and have no vector of this encoder.
    """

    record: ProductRecord
    stored: StoredProduct | None
    images: tuple[StoredImage, ...]
    inputs: dict[str, ModelInput]
    rejects: tuple[Reject, ...]
    notes: tuple[str, ...]
    touched: bool
    decoded: int
    new_texts: int
    visible: bool
    to_write: bool
    unreachable: int = 0
    without_vector: tuple[StoredImage, ...] = ()

    @property
    def empty(self) -> bool:
        """Nothing of it can be searched."""
        return not self.images and not self.record.texts


class SourceReader:
    """Reads what records speak of, in threads, a bounded way ahead of who takes the results.

    Args:
        index: folder that stored paths are relative to.
        encoder: that photos are prepared for; None where no model will run.
        side: pixels a side that are needed, where there is no encoder to say so.
    """

    def __init__(
        self,
        index: Path,
        settings: Settings,
        encoder: Encoder | None,
        side: int | None = None,
    ) -> None:
        self._index = index.resolve()
        self._settings = settings
        self._encoder = encoder
        self._side = encoder.image_size if encoder else side
        self._processes = DecodingPool(settings.decode_workers)
        self._photos = PhotoReader(limits_of_the_user(settings), self._processes)

    def stream(
        self,
        records: Iterable[ProductRecord | Reject],
        catalog: Catalog | None,
        fingerprint: str | None,
    ) -> Iterator[Prepared | Reject]:
        """Each record prepared, each Reject as it is, in the order given.

        Args:
            catalog: what is stored already; None where there is no catalog yet.
            fingerprint: of the encoder whose vectors count as made.
        """
        workers = self._settings.decode_workers
        ahead = 2 * self._settings.batch_size + workers
        pending: deque[Future[Prepared] | Reject] = deque()
        pool = ThreadPoolExecutor(workers, "decode")
        try:
            for item, stored in _with_stored(records, catalog, fingerprint):
                if isinstance(item, Reject):
                    pending.append(item)
                else:
                    pending.append(pool.submit(self.prepare, item, stored))
                while len(pending) >= ahead:
                    yield _result(pending.popleft())
            while pending:
                yield _result(pending.popleft())
        finally:
            # Without this a Ctrl-C would wait for every photo that is still queued.
            self._processes.close()
            pool.shutdown(wait=True, cancel_futures=True)
            self._processes.close()

    def prepare(self, record: ProductRecord, stored: StoredProduct | None) -> Prepared:
        known = [image for image in stored.images if image.has_vector] if stored else []
        by_path = {image.path: image for image in stored.images} if stored else {}
        by_file = {image.file_hash: image for image in stored.images} if stored else {}
        images: list[StoredImage] = []
        inputs: dict[str, ModelInput] = {}
        decoded = unreachable = 0
        without_vector: list[StoredImage] = []
        rejects = list(record.rejects)
        notes: list[str] = []
        for written in record.images:
            path = find_image(record.base, written)
            try:
                image, square, incomplete = self._look_at(path, by_path, by_file)
            except ImageError as error:
                before = self._before(record.base, written, stored)
                kept = "; it is kept as it was" if before and before.has_vector else ""
                rejects.append(
                    Reject(record.row, record.key, "image", written[:200], f"{error}{kept}")
                )
                unreachable += before is not None or out_of_reach(path)
                if before is not None and before not in images:
                    images.append(before)
                    if not before.has_vector:
                        without_vector.append(before)
                continue
            images.append(image)
            if incomplete:
                notes.append(f"{record.key}, image {written[:200]!r}: {incomplete}")
            decoded += not any(image.content_hash == earlier.content_hash for earlier in known)
            if square is not None:
                inputs[image.content_hash] = square
        touched = stored is None or _differs(record, stored, images)
        same_files = stored is not None and tuple(images) == stored.images
        complete = stored is not None and stored.texts_have_vectors and not inputs
        return Prepared(
            record=record,
            stored=stored,
            images=tuple(images),
            inputs=inputs,
            rejects=tuple(rejects),
            notes=tuple(notes),
            touched=touched,
            decoded=decoded,
            new_texts=_new_texts(record, stored),
            visible=touched or [i.path for i in images] != list(by_path),
            to_write=touched or not same_files or not complete,
            unreachable=unreachable,
            without_vector=tuple(without_vector),
        )

    def _look_at(
        self,
        path: Path,
        by_path: dict[str, StoredImage],
        by_file: dict[str, StoredImage],
    ) -> tuple[StoredImage, ModelInput | None, str | None]:
        """A photo as it is stored, the model's input where it was decoded, what it lacks."""
        relative = self._relative(path)
        known = by_path.get(relative)
        seen_at = time.time_ns()
        try:
            status = path.stat()
        except (OSError, ValueError):
            status = None  # reading it says what is wrong, in one place
        if known and known.has_vector and status:
            same = (status.st_size, status.st_mtime_ns) == (known.size, known.mtime_ns)
            if same and known.mtime_ns != 0:
                return known, None, None
        data = read_photo_bytes(path, self._settings.max_image_bytes)
        # Time 0 never equals a file's: a racy file is read again next time.
        changed = status.st_mtime_ns if status else 0
        mtime_ns = 0 if seen_at - changed < RACY_NS else changed
        same_bytes = by_file.get(_file_hash(data)) if by_file else None
        if same_bytes is not None and same_bytes.has_vector:
            moved = replace(same_bytes, path=relative, size=len(data), mtime_ns=mtime_ns)
            return moved, None, None
        photo = self._photos.read(data, self._side)
        image = StoredImage(
            path=relative,
            content_hash=photo.content_hash,
            file_hash=photo.file_hash,
            size=len(data),
            mtime_ns=mtime_ns,
            width=photo.width,
            height=photo.height,
            has_vector=True,  # by the time it is stored
        )
        square = self._encoder.prepare(photo.pixels) if self._encoder else None
        return image, square, photo.incomplete

    def _before(self, base: Path, written: str, stored: StoredProduct | None) -> StoredImage | None:
        """What is stored of a photo that cannot be read."""
        if stored is None:
            return None
        places: set[str] = set()
        for spelling in spellings(written):
            with contextlib.suppress(ImageError, ValueError):
                places.add(self._relative(base / spelling))
        return as_before(places, written, stored.images)

    def _relative(self, path: Path) -> str:
        try:
            relative = os.path.relpath(path, self._index)
        except ValueError:  # another drive: there is no relative path
            raise ImageError("lies on another drive than the index; keep both on one") from None
        if not is_unicode(relative):
            raise ImageError("the path is not valid UTF-8; rename the file")
        return Path(relative).as_posix()


def _with_stored(
    records: Iterable[ProductRecord | Reject],
    catalog: Catalog | None,
    fingerprint: str | None,
) -> Iterator[tuple[ProductRecord | Reject, StoredProduct | None]]:
    iterator = iter(records)
    while chunk := list(islice(iterator, LOOKED_UP_AT_ONCE)):
        keys = [item.key for item in chunk if isinstance(item, ProductRecord)]
        stored = catalog.stored(keys, fingerprint) if catalog else {}
        for item in chunk:
            yield item, stored.get(item.key or "")


def _result(item: Future[Prepared] | Reject) -> Prepared | Reject:
    return item if isinstance(item, Reject) else item.result()


def _new_texts(record: ProductRecord, stored: StoredProduct | None) -> int:
    known = stored.text_hashes if stored and stored.texts_have_vectors else ()
    return sum(text_hash(content) not in known for _, content in record.texts)


def _differs(record: ProductRecord, stored: StoredProduct, images: list[StoredImage]) -> bool:
    return (
        record.row_hash != stored.row_hash
        or [image.content_hash for image in images]
        != [image.content_hash for image in stored.images]
        or sorted(text_hash(content) for _, content in record.texts) != sorted(stored.text_hashes)
    )


def _file_hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
