"""Where a catalog, its vectors and its generations live."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrieval.settings import Settings
    from retrieval.storage.base import Storage

__all__ = ["open_storage"]


def open_storage(address: str | Path, settings: Settings) -> Storage:
    """The index at an address, which is a folder; it need not be there yet."""
    # An engine is loaded when one is opened: each has libraries of its own.
    from retrieval.storage.folder import FolderStorage

    return FolderStorage(Path(address), settings)
