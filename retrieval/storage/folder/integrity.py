"""Whether a generation's files are as they were written: asked when it is opened, and after.

Up to EAGER_BYTES all of it is read before the first answer. Of more, sizes, headers and bounds are
looked at; a thread reads the rest slowly, and what it finds ends the answers of the generation.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

from retrieval.errors import IndexDamaged
from retrieval.storage.entities import Manifest

EAGER_BYTES = 64_000_000  # read and summed in 40 ms
CHUNK = 4 << 20


class Integrity:
    """What is known by now of the files of one generation."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Raises IndexDamaged where a file is not as it was written, as far as that was read."""
        self._folder = folder
        self._manifest = manifest
        self._damage: str | None = None
        if sum(entry["bytes"] for entry in manifest.files.values()) <= EAGER_BYTES:
            self.check_all()
        else:
            threading.Thread(
                target=self._read_slowly, name=f"integrity of {folder.name}", daemon=True
            ).start()

    def check(self) -> None:
        """Raises IndexDamaged where damage was found."""
        if self._damage is not None:
            raise IndexDamaged(self._damage)

    def check_all(self) -> None:
        """Reads every file now; raises IndexDamaged."""
        self._read(0.0)
        self.check()

    def _read_slowly(self) -> None:
        self._read(1.0)

    def _read(self, rest: float) -> None:
        """Reads all files, and rests `rest` times as long as each part took."""
        for name, entry in self._manifest.files.items():
            summed = hashlib.sha256()
            try:
                with (self._folder / name).open("rb") as file:
                    while part := _timed(file.read, rest):
                        summed.update(part)
            except FileNotFoundError:
                if not self._folder.exists():
                    return  # dropped: who reads it learns of that
            except OSError as error:
                self._damage = self._told(name, str(error))
                return
            if summed.hexdigest() != entry["sha256"]:
                self._damage = self._told(name, "is not as it was written")
                return

    def _told(self, name: str, what: str) -> str:
        return f"{self._folder / name} is damaged ({what}); run `retrieval verify --repair`"


def _timed(read: Callable[[int], bytes], rest: float) -> bytes:
    started = time.perf_counter()
    part = read(CHUNK)
    if rest:
        time.sleep(rest * (time.perf_counter() - started))
    return part
