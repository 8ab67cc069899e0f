"""The index of the live generation, changed where rows have changed, in place of a new one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from retrieval.errors import IndexDamaged
from retrieval.storage.entities import GalleryEntry, Ids
from retrieval.storage.folder.ann import AnnIndex
from retrieval.storage.folder.gallery import GalleryFiles

# Cells and codes are learnt from the vectors that were there: with more of them changed, what is
# learnt fits no longer, and learning it anew is cheap beside embedding so many.
CHANGED_SHARE = 0.1
COMPARED_AT_ONCE = 65_536
CHANGEABLE = ("ivf", "ivf-sq8", "ivf-pq4")


@dataclass(frozen=True)
class LiveIndex:
    """A gallery as it is live."""

    files: GalleryFiles
    entry: GalleryEntry


@dataclass(frozen=True)
class UpdatedIndex:
    """An index that shows the new rows, and how many of its rows changed since it was built."""

    index: AnnIndex
    changed: int


def update_index(
    before: LiveIndex, kind: str, vectors: npt.NDArray[np.float16], ids: Ids
) -> UpdatedIndex | None:
    """The index of a gallery with `vectors` (n, d) under `ids` (n,), ascending.

    None where it must be built anew: another type, too much of it changed, or a damaged file.
    """
    files, entry = before.files, before.entry
    if kind != entry.index_type or kind not in CHANGEABLE or not entry.built:
        return None
    try:
        old_ids = np.load(files.ids)
        old_vectors = np.load(files.vectors, mmap_mode="r")
        stays = _unchanged(old_ids, old_vectors, ids, vectors)
        gone = old_ids[~stays]
        new = np.flatnonzero(~np.isin(ids, old_ids[stays], assume_unique=True))
        changed = entry.changed + len(gone) + len(new)
        if changed > CHANGED_SHARE * entry.built:
            return None
        index = AnnIndex.load(
            files.index, kind, entry.search_effort, entry.rescore_depth, to_change=True
        )
    except (OSError, ValueError, IndexDamaged):
        return None
    index.change(gone, vectors[new], ids[new])
    return UpdatedIndex(index, changed)


def _unchanged(
    old_ids: Ids,
    old_vectors: npt.NDArray[np.float16],
    ids: Ids,
    vectors: npt.NDArray[np.float16],
) -> npt.NDArray[np.bool_]:
    """(m,) which old rows are there still, with the same vector."""
    if not len(ids) or old_vectors.shape[1] != vectors.shape[1]:
        return np.zeros(len(old_ids), dtype=np.bool_)
    places = np.searchsorted(ids, old_ids).clip(max=len(ids) - 1)
    stays = np.asarray(ids[places] == old_ids)
    for start in range(0, len(old_ids), COMPARED_AT_ONCE):
        part = slice(start, start + COMPARED_AT_ONCE)
        old, new = (
            np.asarray(v).view(np.int16) for v in (old_vectors[part], vectors[places[part]])
        )
        stays[part] &= (old == new).all(axis=1)
    return stays
