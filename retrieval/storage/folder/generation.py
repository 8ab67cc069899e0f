"""The live generation, opened for reading; a new one is taken up without a restart."""

from __future__ import annotations

import contextlib
import threading
import weakref
from pathlib import Path

import numpy as np

from retrieval.common.adapter import Adapter
from retrieval.errors import IndexDamaged, RetrievalError
from retrieval.indexing.calibration import read_calibration
from retrieval.storage.entities import CatalogMap, Manifest
from retrieval.storage.folder.gallery import Gallery
from retrieval.storage.folder.generation_folders import ADAPTER, Generations, live_manifest
from retrieval.storage.folder.snapshot import SNAPSHOT_FILE, Snapshot

MAP_IDS_FILE = "map.ids.npy"
MAP_PLACES_FILE = "map.places.npy"

ATTEMPTS = 5


class Reader:
    """One generation, whole and unchanging, until nobody refers to it any more."""

    def __init__(self, generations: Generations, manifest: Manifest) -> None:
        """Raises IndexDamaged where a file of it cannot be read."""
        folder = generations.folder(manifest.generation)
        self.manifest = manifest
        self.snapshot = Snapshot(folder / SNAPSHOT_FILE)
        # Searches that began before a switch still hold the old reader; its connections are
        # closed when the last of them is done.
        weakref.finalize(self, self.snapshot.close)
        try:
            self.galleries = {
                name: Gallery.load(
                    folder, name, entry.index_type, entry.search_effort, entry.rescore_depth
                )
                for name, entry in manifest.galleries.items()
            }
            self.adapter = (
                Adapter.from_bytes((folder / ADAPTER).read_bytes()) if manifest.adapter else None
            )
            self.map = read_map(folder)
        except (OSError, ValueError) as error:
            raise IndexDamaged(
                f"generation {manifest.generation} cannot be read ({error}); "
                "run `retrieval verify --repair`"
            ) from None
        # Which products have a photo, which a text.
        self.has_rows = {
            name: np.bincount(gallery.products, minlength=manifest.products) > 0
            for name, gallery in self.galleries.items()
        }
        self.calibration = read_calibration(manifest.calibration)


class LiveReader:
    """Follows CURRENT; safe to share between threads."""

    def __init__(self, index: Path) -> None:
        """Raises IndexMissing or IndexDamaged."""
        self._generations = Generations(index)
        self._lock = threading.Lock()
        self._stamp = self._generations.stamp()
        self._reader = self._open()

    def get(self) -> Reader:
        """The live generation. Use one for the whole of an answer.

        Costs a look at CURRENT. While another thread opens a new generation, and where it cannot
        be opened, the last good one goes on answering.
        """
        if self._generations.stamp() == self._stamp or not self._lock.acquire(blocking=False):
            return self._reader
        try:
            stamp = self._generations.stamp()
            if stamp is not None and stamp != self._stamp:
                with contextlib.suppress(RetrievalError):
                    self._reader, self._stamp = self._open(), stamp
            return self._reader
        finally:
            self._lock.release()

    def after(self, reader: Reader) -> Reader | None:
        """The live generation where it is another than `reader`, waiting for it to be opened."""
        with self._lock:
            stamp = self._generations.stamp()
            if stamp is not None and stamp != self._stamp:
                self._reader, self._stamp = self._open(), stamp
            return None if self._reader is reader else self._reader

    def _open(self) -> Reader:
        # Between reading CURRENT and opening, two more may be published and this one dropped.
        for _ in range(ATTEMPTS - 1):
            with contextlib.suppress(IndexDamaged):
                return Reader(self._generations, live_manifest(self._generations))
        return Reader(self._generations, live_manifest(self._generations))


def write_map(catalog_map: CatalogMap, folder: Path) -> None:
    np.save(folder / MAP_IDS_FILE, catalog_map.ids)
    np.save(folder / MAP_PLACES_FILE, catalog_map.places)


def read_map(folder: Path) -> CatalogMap | None:
    """The map of a generation; None where it has none."""
    try:
        return CatalogMap(np.load(folder / MAP_IDS_FILE), np.load(folder / MAP_PLACES_FILE))
    except FileNotFoundError:
        return None
