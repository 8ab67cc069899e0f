"""Writes a generation from the catalog, and makes it live once it was measured. No model runs."""

from __future__ import annotations

import contextlib
import datetime
import functools
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from retrieval.common.adapter import Adapter, fingerprint_of
from retrieval.common.progress import Progress
from retrieval.common.vectors import Vectors, spread_evenly
from retrieval.errors import CatalogError, IndexDamaged, IndexMissing
from retrieval.settings import Settings
from retrieval.storage.base import Draft
from retrieval.storage.entities import (
    MODALITIES,
    Calibration,
    CatalogMap,
    EncoderInfo,
    GalleryEntry,
    Ids,
    Manifest,
    Modality,
)
from retrieval.storage.folder.ann import AnnIndex
from retrieval.storage.folder.ann_tuning import (
    RECALL_QUERIES,
    choose_type,
    goal_for,
    most_exact,
    tune,
)
from retrieval.storage.folder.ann_updating import LiveIndex, update_index
from retrieval.storage.folder.catalog_reading import CatalogReader
from retrieval.storage.folder.database import catalog_path, checkpoint
from retrieval.storage.folder.disk import full_disk_told
from retrieval.storage.folder.gallery import GalleryFiles
from retrieval.storage.folder.generation import (
    EXTRA,
    MAP_IDS_FILE,
    MAP_PLACES_FILE,
    FolderGeneration,
    read_map,
    write_map,
)
from retrieval.storage.folder.generation_folders import ADAPTER, Generations, live_manifest
from retrieval.storage.folder.snapshot import SNAPSHOT_FILE
from retrieval.storage.folder.snapshot_writing import write_snapshot
from retrieval.storage.folder.verifying import refuse_damage


class FolderDraft(FolderGeneration, Draft):
    """A generation in a folder of a temporary name."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        generations: Generations,
        keep: int,
        map_before: CatalogMap | None,
    ) -> None:
        super().__init__(folder, manifest)
        self._generations = generations
        self._keep = keep
        self._map_before = map_before

    def map_before(self) -> CatalogMap | None:
        return self._map_before

    def publish(
        self,
        calibration: Mapping[str, Calibration],
        catalog_map: CatalogMap,
        extras: Mapping[str, bytes] | None = None,
    ) -> Manifest:
        write_map(catalog_map, self._folder)
        for name, data in (extras or {}).items():
            (self._folder / f"{EXTRA}{name}").write_bytes(data)
        manifest = replace(self._manifest, calibration=dict(calibration))
        manifest = self._generations.publish(self._folder, manifest)
        self._generations.drop_old(self._keep)
        return manifest


@dataclass(frozen=True)
class _StoredRows:
    vectors: npt.NDArray[np.float16]
    ids: Ids


@contextlib.contextmanager
def drafted(
    catalog: CatalogReader,
    settings: Settings,
    progress: Progress,
    index_type: str | None = None,
    *,
    anew: bool = False,
) -> Iterator[FolderDraft]:
    """The catalog as it stands, written into a new folder; see `Catalog.draft`."""
    encoder = catalog.active_encoder()
    if encoder is None:
        raise IndexMissing(
            f"nothing was indexed in {catalog.index} yet; run `retrieval index SOURCE`"
        )
    generations = Generations(catalog.index)
    live = _live(generations)
    with full_disk_told(catalog, encoder, live):
        checkpoint(catalog.engine)
        refuse_damage(catalog)
    revision = catalog.revision()
    adapter = catalog.adapter(encoder.fingerprint)
    wanted = index_type or settings.index_type or (live.wanted_type if live else "auto")
    fingerprint = fingerprint_of(encoder.fingerprint, adapter)
    if live is not None and live.fingerprint != fingerprint:
        live = None  # nothing of it can be taken over
    full = functools.partial(full_disk_told, catalog, encoder, live)
    # Within as well: what is free is asked before the folder is removed.
    with full(), generations.new() as folder, full():
        with progress.task("writing the generation", total=5) as task:
            write_snapshot(catalog_path(catalog.index), folder / SNAPSHOT_FILE)
            if adapter is not None:
                (folder / ADAPTER).write_bytes(adapter.to_bytes())
            task.advance()
            rows: dict[Modality, _StoredRows] = {}
            for modality in MODALITIES:
                files = GalleryFiles(folder, modality)
                rows[modality] = _write_rows(catalog, encoder, adapter, files)
                task.advance()
            queries = {modality: _query_sample(rows[modality]) for modality in MODALITIES}
            galleries: dict[Modality, GalleryEntry] = {}
            for modality in MODALITIES:
                before = None if live is None or anew else _before(generations, live, modality)
                files = GalleryFiles(folder, modality)
                galleries[modality] = _write_index(
                    files, rows[modality], queries, settings, wanted, before
                )
                task.advance()
        manifest = Manifest(
            generation=generations.next_number(),
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            revision=revision,
            fingerprint=fingerprint,
            adapter=adapter is not None,
            model=encoder.name,
            dim=encoder.dim,
            fit=encoder.fit,
            products=catalog.counts()["products"],
            wanted_type=wanted,
            galleries=galleries,
            calibration={},
        )
        map_before = _map_before(generations, live)
        yield FolderDraft(folder, manifest, generations, settings.keep_generations, map_before)
        if folder.exists():  # nobody published it
            shutil.rmtree(folder, ignore_errors=True)


def _live(generations: Generations) -> Manifest | None:
    try:
        return live_manifest(generations)
    except (IndexMissing, IndexDamaged):
        return None


def _before(generations: Generations, live: Manifest, modality: Modality) -> LiveIndex | None:
    """The live gallery; None where its files are not as they were written."""
    files = GalleryFiles(generations.folder(live.generation), modality)
    if not generations.are_whole(live, (files.index.name, files.ids.name)):
        return None
    return LiveIndex(files, live.galleries[modality])


def _map_before(generations: Generations, live: Manifest | None) -> CatalogMap | None:
    if live is None or not generations.are_whole(live, (MAP_IDS_FILE, MAP_PLACES_FILE)):
        return None
    return read_map(generations.folder(live.generation))


def _write_rows(
    catalog: CatalogReader, encoder: EncoderInfo, adapter: Adapter | None, files: GalleryFiles
) -> _StoredRows:
    """Writes vectors, primary keys and products of a gallery, row by row to disk."""
    modality = files.modality
    count = catalog.counts()[modality]
    ids, owners = np.empty(count, np.int64), np.empty(count, np.int64)
    filled = 0
    # Row after row, not mapped: where a mapped file outgrows the disk, the process is killed.
    with files.vectors.open("wb") as file:
        kept = {"descr": "<f2", "fortran_order": False, "shape": (count, encoder.dim)}
        np.lib.format.write_array_header_1_0(file, kept)
        for part_ids, part_owners, stored, _ in catalog.stored_rows(modality, encoder.fingerprint):
            # FAISS ends with an error of its own, or learns nothing.
            if not np.isfinite(stored).all():
                raise CatalogError(
                    f"stored vectors of {modality} hold values that are no numbers; "
                    "run `retrieval verify --repair`, then `retrieval index SOURCE`"
                )
            part = slice(filled, filled + len(part_ids))
            ids[part], owners[part] = part_ids, part_owners
            made = stored if adapter is None else adapter.apply(modality, stored)
            file.write(np.asarray(made, dtype="<f2").tobytes())
            filled = part.stop
    if filled != count:
        raise CatalogError(
            f"{count - filled} of {count} {modality} have no vector of model {encoder.name}; "
            "run `retrieval index SOURCE` again to finish"
        )
    products = np.searchsorted(catalog.products_with(()), owners).astype(np.int32)
    np.save(files.ids, ids)
    np.save(files.products, products)
    # An empty file cannot be mapped.
    return _StoredRows(np.load(files.vectors, mmap_mode="r" if count else None), ids)


def _write_index(
    files: GalleryFiles,
    rows: _StoredRows,
    queries: Mapping[Modality, Vectors],
    settings: Settings,
    wanted: str,
    before: LiveIndex | None,
) -> GalleryEntry:
    count = len(rows.ids)
    exact = most_exact(settings.exact_limit, settings.index_memory_mb, rows.vectors.shape[1])
    kind = choose_type(wanted, count, exact)
    goal = goal_for(count, settings.recall_goal)
    updated = None if before is None else update_index(before, kind, rows.vectors, rows.ids)
    if before is not None and updated is not None:
        index, built, changed = updated.index, before.entry.built, updated.changed
    else:
        index, built, changed = AnnIndex.build(kind, rows.vectors, rows.ids), count, 0
    recall = tune(index, rows.vectors, rows.ids, queries, goal)
    if changed and recall.worst < goal:
        index, built, changed = AnnIndex.build(kind, rows.vectors, rows.ids), count, 0
        recall = tune(index, rows.vectors, rows.ids, queries, goal)
    index.save(files.index)
    return GalleryEntry(
        count, index.kind, index.search_effort, recall.by_query, index.rescore_depth, built, changed
    )


def _query_sample(rows: _StoredRows) -> Vectors:
    picked = spread_evenly(len(rows.ids), RECALL_QUERIES)
    return np.asarray(rows.vectors[picked], dtype=np.float32)
