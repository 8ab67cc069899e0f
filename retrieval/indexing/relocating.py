"""An index whose photos lie elsewhere now: their paths are written anew, and no model runs.

Paths are kept from the folder of the index. Moved without its photos, or they without it, it finds
none of them, though every vector is good.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from retrieval.common.products import ProductRecord, Reject
from retrieval.common.progress import Progress
from retrieval.common.text import is_unicode
from retrieval.errors import IndexDamaged, IndexMissing, SourceError
from retrieval.images.spelling import folded
from retrieval.indexing.publishing import publish
from retrieval.indexing.tally import IndexReport
from retrieval.settings import Settings
from retrieval.sources.walking import Walk
from retrieval.storage import open_storage
from retrieval.storage.base import Catalog, Storage
from retrieval.storage.entities import Manifest, ProductChange, StoredImage, StoredProduct

PRODUCTS_A_COMMIT = 512
# A name alone, such as 1.jpg, may be another product's; with its folder's it is no coincidence.
SURE_STEPS = 2


def find_photos(
    folder: Path, settings: Settings, progress: Progress, *, dry_run: bool = False
) -> IndexReport:
    """Looks for the photos of an index below a folder, and publishes where they are.

    A photo is known by the end of its path, its size and time of change; by its bytes where these
    leave a doubt.
    One that is not there keeps its path, and is a reject unless it is where it was.

    Raises:
        IndexMissing, IndexLocked: as `retrieval.indexing.maintenance.rebuild`.
        SourceError: none of them is there; nothing is changed then.
    """
    started = time.perf_counter()
    if not folder.is_dir():
        raise SourceError(f"{folder} is no folder; give the one that the photos lie below")
    storage = open_storage(settings.index, settings)
    with storage.reading() if dry_run else storage.writing() as catalog:
        encoder = catalog.active_encoder()
        if encoder is None:
            raise IndexMissing(f"nothing was indexed in {settings.index}; run `retrieval index`")
        counts = catalog.counts()
        report = IndexReport(
            model=encoder.name,
            products=counts["products"],
            images=counts["images"],
            texts=counts["texts"],
            dry_run=dry_run,
        )
        finder = _Finder(folder, storage.base.resolve(), progress)
        changes: list[ProductChange] = []
        with progress.task("looking for photos", report.products) as task:
            for record, stored in _products(catalog, encoder.fingerprint):
                task.advance()
                images = tuple(finder.now(image, record, report) for image in stored.images)
                if images != stored.images:
                    changes.append(ProductChange(record, images, stored, visible=True))
        report.updated, report.unchanged = len(changes), report.products - len(changes)
        report.reused = report.images + report.texts
        if report.images and finder.found == 0:
            raise SourceError(
                f"none of the {report.images} photos is below {folder}; nothing was changed: "
                "give the folder that they lie in now, or one above it"
            )
        if not dry_run:
            for start in range(0, len(changes), PRODUCTS_A_COMMIT):
                part = changes[start : start + PRODUCTS_A_COMMIT]
                catalog.write(part, {}, encoder.fingerprint)
            manifest = _published(storage, catalog, progress)
            report.generation, report.adapted = manifest.generation, manifest.adapter
    report.rejected = report.photos_unreachable = len(report.rejects)
    report.seconds = round(time.perf_counter() - started, 3)
    return report


def _published(storage: Storage, catalog: Catalog, progress: Progress) -> Manifest:
    """The live generation, anew where it does not show the catalog as it stands."""
    with contextlib.suppress(IndexMissing, IndexDamaged):
        live = storage.live_manifest()
        if live.revision == catalog.revision():
            return live
    return publish(catalog, progress)


def _products(catalog: Catalog, fingerprint: str) -> Iterator[tuple[ProductRecord, StoredProduct]]:
    ids = catalog.products_with(("images",))
    for start in range(0, len(ids), PRODUCTS_A_COMMIT):
        records = list(catalog.records(ids[start : start + PRODUCTS_A_COMMIT]))
        stored = catalog.stored([record.key for record in records], fingerprint)
        for record in records:
            yield record, stored[record.key]


class _Finder:
    """The files below a folder, by name.

    Attributes:
        found: how many photos are there.
    """

    def __init__(self, folder: Path, index: Path, progress: Progress) -> None:
        self._folder = folder
        self._index = index
        self.found = 0
        self._files: dict[str, list[Path]] = {}
        with progress.task(f"listing {folder}"):
            for path in Walk(folder.resolve()).photos():
                self._files.setdefault(folded(path.name), []).append(path)

    def now(self, image: StoredImage, record: ProductRecord, report: IndexReport) -> StoredImage:
        """The photo under its path of today; noted as a reject where it is nowhere."""
        path = self._find(image)
        if path is not None:
            self.found += 1
            return replace(image, path=Path(os.path.relpath(path, self._index)).as_posix())
        if not (self._index / image.path).is_file():
            reason = f"is not below {self._folder}, nor where it was; it is kept as it was"
            report.rejects.append(Reject(None, record.key, "image", image.path, reason))
        return image

    def _find(self, image: StoredImage) -> Path | None:
        steps = _steps(image.path)
        candidates: dict[int, list[Path]] = {}
        for path in self._files.get(steps[-1], ()):
            candidates.setdefault(_common_tail(steps, _steps(str(path))), []).append(path)
        for length in sorted(candidates, reverse=True):
            files = [path for path in candidates[length] if _size(path) == image.size]
            named = length >= min(SURE_STEPS, len(steps)) and len(candidates[length]) == 1
            if named and files and files[0].stat().st_mtime_ns == image.mtime_ns:
                return files[0]
            same = next((path for path in files if _hash(path) == image.file_hash), None)
            if same is not None:
                return same
        return None


def _steps(path: str) -> list[str]:
    return [folded(step) for step in path.split("/") if step not in ("", ".", "..")]


def _common_tail(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = zip(reversed(one), reversed(other), strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _size(path: Path) -> int | None:
    if not is_unicode(str(path)):
        return None  # no path that could be stored
    try:
        return path.stat().st_size
    except OSError:
        return None


def _hash(path: Path) -> str | None:
    with contextlib.suppress(OSError), path.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
    return None
