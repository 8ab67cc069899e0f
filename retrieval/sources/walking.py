"""A folder and what lies below it: which files are the user's photos, and what cannot be looked at.

Links to folders are followed, each folder is walked once. What programs keep for themselves is
passed over, and so is an index: what a visitor uploaded there must not become a product.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from retrieval.errors import SourceError
from retrieval.images.files import SUFFIXES
from retrieval.images.kinds import passed_over_suffixes

# Folders that programs keep for themselves: thumbnails, versions, what was thrown away. By whom:
# Windows, macOS, Linux desktops; then makers of shared disks, programs that keep files in step,
# managers of photos and of versions.
_OF_PROGRAMS = re.compile(
    r"\$recycle\.bin | found\.\d{3} | system\ volume\ information"
    r"| __macosx | \.trash([-_ ].*)? | \.trashes | \.spotlight-v100 | \.fseventsd"
    r"| \.documentrevisions-v100 | \.temporaryitems | temporary\ items | network\ trash\ folder"
    r"| \.apple(double|db|desktop) | lost\+found | \.thumbnails | \.thumbs?"
    r"| [#@.]recycle(\.bin)? | [.@#]snapshots? | @recently-snapshot | ~snapshot | \.zfs"
    r"| @eadir | @tmp | @sharebin | \.@__thumb | \.@upload_cache | @transcode | \.deleted"
    r"| \.st(folder|versions) | \.sync | \.dropbox\.cache | \.tmp\.drive(down|up)load"
    r"| files_(trashbin|versions) | \.dtrash | \.xvpics | \.picasaoriginals"
    r"| \.git | \.svn | \.hg",
    re.IGNORECASE | re.VERBOSE,
)
CATALOG, CURRENT, GENERATIONS = "catalog.db", "CURRENT", "generations"
HEAD_BYTES = 1 << 16  # of a database, where the names of its first tables stand
# What an index keeps in folders: where the photos lie beside it, only these are passed over.
OF_INDEX = {GENERATIONS, "cache"}


@dataclass
class Walk:
    """The photos below a folder, and what the last walk did not look into.

    Attributes:
        root: the folder.
        unread: folder -> why it cannot be looked into today.
        empty: folders with nothing in them, as is one whose disk is not mounted.
        elsewhere: links to folders that are walked by another path.
        indexes: folders that belong to an index.
        taken, passed_over: by suffix, the photos, and the pictures of kinds that are not read.
    """

    root: Path
    unread: dict[Path, str] = field(default_factory=dict)
    empty: list[Path] = field(default_factory=list)
    elsewhere: list[Path] = field(default_factory=list)
    indexes: list[Path] = field(default_factory=list)
    taken: Counter[str] = field(default_factory=Counter)
    passed_over: Counter[str] = field(default_factory=Counter)

    def photos(self) -> Iterator[Path]:
        """Paths of photos: of each folder its own, then those of the folders in it, by name.

        Raises:
            SourceError: the root itself cannot be listed, or is part of an index.
        """
        for kept in (self.unread, self.empty, self.elsewhere, self.indexes):
            kept.clear()
        self.taken.clear()
        self.passed_over.clear()
        self._home = Path(os.path.realpath(self.root))
        if _part_of_index(self._home) is not None:
            raise SourceError(f"{self.root} is part of an index, and no source; give your photos")
        self._walked = {_identity(self.root)}
        waiting = [self.root]
        while waiting:
            files, folders = self._listed(waiting.pop())
            yield from files
            waiting += reversed(folders)

    def _listed(self, folder: Path) -> tuple[list[Path], list[Path]]:
        """The photos in a folder, and the folders in it to walk."""
        try:
            with os.scandir(folder) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            if folder == self.root:
                reason = f"cannot be listed ({error.strerror}); make it readable"
                raise SourceError(f"{folder} {reason}") from None
            # Passed over in silence all that lies in it would seem gone, and `--prune` drop it.
            self.unread[folder] = f"cannot be listed ({error.strerror}); make it readable"
            return [], []
        if not entries:
            self.empty.append(folder)
        files: list[Path] = []
        folders: list[Path] = []
        for entry in entries:
            path = folder / entry.name
            kind = _kind(entry)
            if kind == "folder":
                if self._wanted(path, linked=entry.is_symlink()):
                    folders.append(path)
            elif is_photo(entry.name):
                files.append(path)
                self.taken[path.suffix.lower()] += 1
            elif entry.name.startswith("._"):
                continue
            elif path.suffix.lower() in passed_over_suffixes():
                self.passed_over[path.suffix.lower()] += 1
            elif kind == "nothing" and entry.is_symlink():
                self.unread[path] = "is a link to nothing; mount what it leads to, or remove it"
        return files, folders

    def _wanted(self, path: Path, *, linked: bool) -> bool:
        if kept_by_programs(path.name):
            return False
        target = Path(os.path.realpath(path)) if linked else path
        beside = path.parent == self.root and path.name in OF_INDEX and is_index(self.root)
        if beside or is_index(target) or (linked and _part_of_index(target) is not None):
            self.indexes.append(path)
            return False
        identity = _identity(path)
        # A link to what is walked anyway: followed it would show each photo twice, or for ever.
        if identity in self._walked or (linked and target.is_relative_to(self._home)):
            self.elsewhere.append(path)
            return False
        self._walked.add(identity)
        return True


def is_photo(name: str) -> bool:
    """Whether a file is taken for a photo, by its name."""
    # `._photo.jpg` is what macOS leaves beside a photo: no image, whatever its name.
    return PurePath(name).suffix.lower() in SUFFIXES and not name.startswith("._")


def kept_by_programs(name: str) -> bool:
    """Whether a folder of this name holds what a system or a program keeps for itself."""
    return _OF_PROGRAMS.fullmatch(name) is not None


def is_index(folder: Path) -> bool:
    """Whether a folder is an index, be it but half there: any, not only the one in use."""
    has = {name: os.path.lexists(folder / name) for name in (CATALOG, CURRENT, GENERATIONS)}
    if sum(has.values()) > 1:
        return True
    return has[CATALOG] and any(
        _has_our_tables(folder / name) for name in (CATALOG, f"{CATALOG}-wal")
    )


def _has_our_tables(file: Path) -> bool:
    """Of a catalog that no generation was made of yet; other programs have a catalog.db, too."""
    try:
        with file.open("rb") as data:
            return b"alembic_version" in data.read(HEAD_BYTES)
    except OSError:
        return False


def _part_of_index(folder: Path) -> Path | None:
    """The index whose own files a folder holds, if any."""
    inner = folder
    for above in folder.parents:
        if inner.name in OF_INDEX and is_index(above):
            return above
        inner = above
    return None


def _kind(entry: os.DirEntry[str]) -> str:
    try:
        if entry.is_dir():
            return "folder"
        entry.stat()
    except OSError:
        return "nothing"
    return "file"


def _identity(folder: Path) -> tuple[int, int] | Path:
    try:
        status = folder.stat()
    except OSError:
        return folder
    # Some network disks number nothing.
    return (status.st_dev, status.st_ino) if status.st_ino else Path(os.path.realpath(folder))
