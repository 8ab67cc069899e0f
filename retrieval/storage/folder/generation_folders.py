"""The published states of an index: numbered folders, and `CURRENT`, which names the live one.

A generation is written under a temporary name, synced, renamed, and then named in `CURRENT`.
Until that last step readers see the old one whole; nothing in a published folder ever changes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from retrieval.errors import IndexDamaged, IndexMissing, NotFound
from retrieval.storage.entities import FORMAT, Calibration, GalleryEntry, Manifest
from retrieval.storage.folder.database import catalog_path

MANIFEST = "manifest.json"
ADAPTER = "adapter.safetensors"
CURRENT = "CURRENT"
ROLLED_BACK = ".rolled-back"
GENERATIONS = "generations"
CHECKSUM = "checksum"
_NOT_SUMMED = (CHECKSUM, "fingerprint")
# Keys of manifest.json that are called otherwise here: those in the file are a promise.
_ENTRY_KEYS = {"width": "search_effort", "depth": "rescore_depth"}


class Generations:
    """The generations of the index in one folder."""

    def __init__(self, index: Path) -> None:
        self.index = index
        self._folder = index / GENERATIONS

    def current(self) -> int | None:
        """The number in CURRENT; None where nothing was published.

        Raises:
            IndexDamaged: CURRENT does not hold a number.
        """
        try:
            text = (self.index / CURRENT).read_text("ascii", errors="replace").strip()
        except FileNotFoundError:
            return None
        if not (text.isascii() and text.isdigit()):
            raise IndexDamaged(
                f"{self.index / CURRENT} does not name a generation; "
                "run `retrieval verify --repair`"
            )
        return int(text)

    def stamp(self) -> tuple[int, int] | None:
        """Differs whenever CURRENT was replaced, be it by the same number; None without one."""
        try:
            status = (self.index / CURRENT).stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns

    def numbers(self) -> list[int]:
        """Every published generation, ascending."""
        if not self._folder.is_dir():
            return []
        return sorted(int(path.name) for path in self._folder.iterdir() if path.name.isdigit())

    def folder(self, number: int) -> Path:
        return self._folder / str(number)

    def manifest(self, number: int) -> Manifest:
        """Raises IndexDamaged where the manifest is missing or not of this format."""
        path = self.folder(number) / MANIFEST
        try:
            values = json.loads(path.read_bytes())
            if values["format"] != FORMAT:
                raise IndexDamaged(
                    f"generation {number} has format {values['format']}, this version reads "
                    f"{FORMAT}; run `retrieval rebuild`"
                )
            checksum = values.pop(CHECKSUM, None)
            if checksum not in (None, _manifest_checksum(values)):
                raise IndexDamaged(
                    f"{path} is not as it was written; run `retrieval verify --repair`"
                )
            values["galleries"] = {
                name: GalleryEntry(**_renamed(entry, _ENTRY_KEYS))
                for name, entry in values["galleries"].items()
            }
            values["calibration"] = {
                name: Calibration(**entry) for name, entry in values["calibration"].items()
            }
            return Manifest(**values)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise IndexDamaged(
                f"{path} cannot be read ({type(error).__name__}); run `retrieval verify --repair`"
            ) from None

    def is_as_written(self, number: int) -> bool:
        """Whether the manifest is, to the last byte; True where an earlier version wrote it."""
        data = (self.folder(number) / MANIFEST).read_bytes()
        values = json.loads(data)
        return CHECKSUM not in values or data == _dumped(values).encode()

    def check_sizes(self, manifest: Manifest) -> None:
        """Raises IndexDamaged where a file is missing or of another size: cheap, on each open."""
        for name, entry in manifest.files.items():
            path = self.folder(manifest.generation) / name
            size = path.stat().st_size if path.is_file() else None
            if size != entry["bytes"]:
                state = "missing" if size is None else f"{size} bytes, not {entry['bytes']}"
                raise IndexDamaged(f"{path} is {state}; run `retrieval verify --repair`")

    def damaged_files(self, manifest: Manifest) -> list[str]:
        """Names of the files whose bytes are not what the manifest says; reads all of them."""
        folder = self.folder(manifest.generation)
        return [
            name
            for name, entry in manifest.files.items()
            if not (folder / name).is_file() or sha256_of(folder / name) != entry["sha256"]
        ]

    def are_whole(self, manifest: Manifest, names: Sequence[str]) -> bool:
        """Whether these files of a generation are there, as they were written."""
        folder = self.folder(manifest.generation)
        try:
            return all(sha256_of(folder / name) == manifest.files[name]["sha256"] for name in names)
        except (OSError, KeyError):
            return False

    def next_number(self) -> int:
        """One more than any number ever seen here, so that a number never means two things."""
        with contextlib.suppress(IndexDamaged):
            return max([*self.numbers(), self.current() or 0]) + 1
        return max(self.numbers(), default=0) + 1

    @contextlib.contextmanager
    def new(self) -> Iterator[Path]:
        """A temporary folder to fill; removed again where the body raises."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.clean_up()
        folder = self._folder / f".{self.next_number()}.partial"
        folder.mkdir()
        try:
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def publish(self, folder: Path, manifest: Manifest) -> Manifest:
        """Makes a filled temporary folder the live generation; the last step is atomic."""
        files = {
            path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
            for path in sorted(folder.iterdir())
        }
        manifest = Manifest(**{**vars(manifest), "files": files})
        values = _as_stored(manifest)
        values[CHECKSUM] = _manifest_checksum(values)
        (folder / MANIFEST).write_text(_dumped(values), "utf-8")
        for path in folder.iterdir():
            _sync(path)
        _sync(folder)
        final = self.folder(manifest.generation)
        folder.rename(final)
        _sync(self._folder)
        self.make_current(manifest.generation)
        return manifest

    def make_current(self, number: int) -> None:
        """Replaces CURRENT; raises NotFound where there is no such generation."""
        if number not in self.numbers():
            have = ", ".join(map(str, self.numbers())) or "none"
            raise NotFound(f"there is no generation {number}; there are: {have}")
        mark = self.index / ROLLED_BACK
        if number < self.numbers()[-1]:
            _replace(mark, f"{number}\n")
            _replace(self.index / CURRENT, f"{number}\n")
        else:
            _replace(self.index / CURRENT, f"{number}\n")
            mark.unlink(missing_ok=True)
        _sync(self.index)

    def rolled_back_to(self) -> int | None:
        """The live generation, where somebody went back to it from a later one; else None.

        A later one is there, too, where a run was killed just before it went live: that is no
        rollback, and the next run goes on. Earlier versions left no mark: there CURRENT is older
        than what a killed run wrote, and newer than what was rolled back from.
        """
        live, numbers = self.current(), self.numbers()
        if live is None or not numbers or live >= numbers[-1]:
            return None
        try:
            marked = (self.index / ROLLED_BACK).read_text("ascii", errors="replace").strip()
            return live if marked == str(live) else None
        except OSError:
            later = self.folder(numbers[-1]) / MANIFEST
        with contextlib.suppress(OSError):
            if (self.index / CURRENT).stat().st_mtime_ns < later.stat().st_mtime_ns:
                return None
        return live

    def drop_old(self, keep: int) -> list[int]:
        """Removes all but the newest `keep` generations and the live one; returns the numbers."""
        live = self.current()
        old = [number for number in self.numbers()[:-keep] if number != live]
        for number in old:
            # Renamed first: a half-deleted folder must not look like a generation.
            partial = self._folder / f".{number}.partial"
            self.folder(number).rename(partial)
            shutil.rmtree(partial, ignore_errors=True)
        return old

    def clean_up(self) -> int:
        """Removes what killed runs left behind; returns how many folders."""
        partial = list(self._folder.glob(".*.partial")) if self._folder.is_dir() else []
        for folder in partial:
            shutil.rmtree(folder, ignore_errors=True)
        return len(partial)


def _as_stored(manifest: Manifest) -> dict[str, Any]:
    keys = {name: key for key, name in _ENTRY_KEYS.items()}
    stored = asdict(manifest)
    stored["galleries"] = {
        name: _renamed(entry, keys) for name, entry in stored["galleries"].items()
    }
    return stored


def _dumped(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=1)


def _manifest_checksum(values: dict[str, Any]) -> int:
    """Of what it says. Not of the fingerprint: a query by another is refused as such, and verify
    holds it against the catalog's."""
    said = {name: value for name, value in values.items() if name not in _NOT_SUMMED}
    return zlib.crc32(json.dumps(said, sort_keys=True).encode())


def _renamed(entry: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in entry.items()}


def live_manifest(generations: Generations) -> Manifest:
    """The manifest of the live generation.

    Raises:
        IndexMissing: nothing was published in this folder yet.
        IndexDamaged: what was published is not whole.
    """
    number = generations.current()
    if number is None and generations.numbers():
        raise IndexDamaged(
            f"{generations.index / CURRENT} is missing; run `retrieval verify --repair`"
        )
    if number is None and catalog_path(generations.index).exists():
        raise IndexMissing(
            f"nothing was published in {generations.index} yet: the first run is still at work, or "
            "was stopped, or found nothing usable; `retrieval index SOURCE` goes on"
        )
    if number is None:
        raise IndexMissing(
            f"there is no index in {generations.index}; make one with "
            f"`retrieval index SOURCE --index {generations.index}`"
        )
    manifest = generations.manifest(number)
    generations.check_sizes(manifest)
    return manifest


def _replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name.removeprefix('.')}.partial")
    partial.write_text(text, "ascii")
    _sync(partial)
    partial.replace(path)


def sha256_of(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
