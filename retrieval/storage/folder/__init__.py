"""The engine in a folder: SQLite, FAISS, numbered generations."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from retrieval.errors import CatalogError, IndexDamaged, IndexMissing
from retrieval.settings import Settings
from retrieval.storage.base import Generation, Storage
from retrieval.storage.entities import GenerationState, Manifest
from retrieval.storage.folder.catalog import FolderCatalog
from retrieval.storage.folder.database import can_write, catalog_path
from retrieval.storage.folder.generation import FolderGeneration, LiveGeneration
from retrieval.storage.folder.generation_folders import Generations, live_manifest
from retrieval.storage.folder.lock import writing


class FolderStorage(Storage):
    """An index in a folder, with nothing to install beside it."""

    def __init__(self, index: Path, settings: Settings) -> None:
        self.address = str(index)
        self.base = index
        self._settings = settings
        self._folders = Generations(index)
        self._live: LiveGeneration | None = None
        # Once: asked of the disk for every photo of a page it would take longer than the search.
        self._root = index.resolve()

    def exists(self) -> bool:
        return catalog_path(self.base).exists()

    def live_manifest(self) -> Manifest:
        return live_manifest(self._folders)

    def current(self) -> FolderGeneration:
        generation = self._following().get()
        generation.check()
        return generation

    def newer(self, than: Generation) -> FolderGeneration | None:
        return self._following().newer(than)

    def _following(self) -> LiveGeneration:
        if self._live is None:
            self._live = LiveGeneration(self.base)
        return self._live

    def photo_path(self, stored: str) -> str:
        return os.path.normpath(f"{self._root}/{stored}").removeprefix(f"{os.getcwd()}{os.sep}")  # noqa: PTH109 - once a photo

    @contextlib.contextmanager
    def reading(self) -> Iterator[FolderCatalog]:
        if not self.exists():
            raise self._missing()
        with contextlib.closing(FolderCatalog(self.base, self._settings)) as catalog:
            yield catalog

    @contextlib.contextmanager
    def writing(self, *, create: bool = False) -> Iterator[FolderCatalog]:
        if not (create or self.exists()):
            raise self._missing()
        if self.base.exists() and not self.can_write():
            raise CatalogError(
                f"{self.base} cannot be written to here; see to its permissions, or copy it to "
                "where it can be"
            )
        with (
            writing(self.base, self._settings.lock_timeout),
            contextlib.closing(FolderCatalog(self.base, self._settings)) as catalog,
        ):
            yield catalog

    def can_write(self) -> bool:
        return can_write(self.base)

    def _missing(self) -> IndexMissing:
        return IndexMissing(f"there is no index in {self.base}; run `retrieval index SOURCE`")

    def generations(self) -> list[GenerationState]:
        try:
            live, rolled_back = self._folders.current(), self._folders.rolled_back_to()
        except IndexDamaged:
            live = rolled_back = None
        numbers = {*self._folders.numbers(), *([] if live is None else [live])}
        states = [self._state(number, live) for number in sorted(numbers)]
        return [replace(state, rolled_back=state.number == rolled_back) for state in states]

    def _state(self, number: int, live: int | None) -> GenerationState:
        try:
            manifest = self._folders.manifest(number)
            self._folders.check_sizes(manifest)
        except IndexDamaged as error:
            return GenerationState(number, number == live, None, str(error))
        return GenerationState(number, number == live, manifest)

    def switch(self, number: int) -> None:
        if number in self._folders.numbers():
            self._folders.check_sizes(self._folders.manifest(number))
        self._folders.make_current(number)

    def close(self) -> None:
        self._live = None
