"""Derives a generation from the catalog and publishes it. No model runs here."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import func, select

from retrieval.common.adapter import Adapter, Side, fingerprint_of
from retrieval.common.progress import Progress
from retrieval.common.vectors import spread_evenly
from retrieval.errors import CatalogError, IndexDamaged, IndexMissing
from retrieval.indexing.calibration import calibrate
from retrieval.indexing.catalog_map import lay_out
from retrieval.settings import Settings
from retrieval.storage.entities import CatalogMap, GalleryEntry, Manifest
from retrieval.storage.folder.ann import AnnIndex, Floats
from retrieval.storage.folder.ann_tuning import (
    RECALL_QUERIES,
    choose_type,
    goal_for,
    most_exact,
    tune,
)
from retrieval.storage.folder.ann_updating import LiveIndex, update_index
from retrieval.storage.folder.catalog import CatalogStore, stored_adapter
from retrieval.storage.folder.database import CATALOG_FILE, checkpoint
from retrieval.storage.folder.gallery import Gallery
from retrieval.storage.folder.generation import read_map, write_map
from retrieval.storage.folder.generation_folders import (
    ADAPTER,
    Generations,
    live_manifest,
    sha256_of,
)
from retrieval.storage.folder.snapshot import SNAPSHOT_FILE, write_snapshot
from retrieval.storage.models import EncoderRow, Image, ProductText, Vector

GALLERIES: dict[Side, type[Image] | type[ProductText]] = {"images": Image, "texts": ProductText}
ROWS_AT_ONCE = 10_000


@dataclass(frozen=True)
class _Rows:
    vectors: npt.NDArray[np.float16]
    ids: npt.NDArray[np.int64]
    products: npt.NDArray[np.int32]


def publish(
    index: Path,
    store: CatalogStore,
    settings: Settings,
    progress: Progress,
    index_type: str | None = None,
    *,
    anew: bool = False,
) -> Manifest:
    """Makes the catalog as it stands the live generation.

    Args:
        anew: build every index from the vectors, also where the live one could be changed.
        index_type: one of INDEX_TYPES, or `auto`; None: as in the settings, else
            as the live generation was wanted.

    Raises:
        IndexMissing: nothing was ever indexed.
        CatalogError: photos or texts lack vectors of the active encoder.
    """
    encoder = store.active_encoder()
    if encoder is None:
        raise IndexMissing(f"nothing was indexed in {index} yet; run `retrieval index SOURCE`")
    checkpoint(store.engine)
    revision = store.revision()
    adapter = stored_adapter(store.engine, encoder.id)
    generations = Generations(index)
    live = _live(generations)
    wanted = index_type or settings.index_type or (live.wanted_type if live else "auto")
    fingerprint = fingerprint_of(encoder.fingerprint, adapter)
    if live is not None and live.fingerprint != fingerprint:
        live = None  # nothing of it can be taken over
    with generations.new() as folder:
        with progress.task("writing the generation", total=5) as task:
            write_snapshot(index / CATALOG_FILE, folder / SNAPSHOT_FILE)
            if adapter is not None:
                (folder / ADAPTER).write_bytes(adapter.to_bytes())
            task.advance()
            rows: dict[str, _Rows] = {}
            for name in GALLERIES:
                rows[name] = _write_rows(store, encoder, adapter, name, folder)
                task.advance()
            queries: dict[str, Floats] = {kind: _query_sample(rows[kind]) for kind in GALLERIES}
            entries: dict[str, GalleryEntry] = {}
            for name in GALLERIES:
                before = None if live is None or anew else _before(generations, live, name)
                entries[name] = _write_index(
                    name, rows[name], queries, folder, settings, wanted, before
                )
                task.advance()
        galleries = {
            name: Gallery.load(
                folder, name, entry.index_type, entry.search_effort, entry.rescore_depth
            )
            for name, entry in entries.items()
        }
        with progress.task("drawing the map", total=1) as task:
            _write_map(store, galleries, _map_before(generations, live), folder)
            task.advance()
        manifest = Manifest(
            generation=generations.next_number(),
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            revision=revision,
            fingerprint=fingerprint,
            adapter=adapter is not None,
            model=encoder.name,
            dim=encoder.dim,
            fit=encoder.details["preprocess"]["fit"],
            products=store.counts()["products"],
            wanted_type=wanted,
            galleries=entries,
            calibration=calibrate(galleries["images"], galleries["texts"]),
        )
        manifest = generations.publish(folder, manifest)
    generations.drop_old(settings.keep_generations)
    return manifest


def _live(generations: Generations) -> Manifest | None:
    try:
        return live_manifest(generations)
    except (IndexMissing, IndexDamaged):
        return None


def _before(generations: Generations, live: Manifest, name: str) -> LiveIndex | None:
    """The live gallery; None where its files are not as they were written."""
    entry = live.galleries[name]
    folder = generations.folder(live.generation)
    for file in (f"{name}.faiss", f"{name}.ids.npy"):
        try:
            if sha256_of(folder / file) != live.files[file]["sha256"]:
                return None
        except (OSError, KeyError):
            return None
    shape = (entry.index_type, entry.search_effort, entry.rescore_depth)
    return LiveIndex(folder, *shape, entry.built, entry.changed)


def _map_before(generations: Generations, live: Manifest | None) -> CatalogMap | None:
    """The live generation's map, where the same encoder drew it."""
    try:
        return None if live is None else read_map(generations.folder(live.generation))
    except (OSError, ValueError):
        return None


def _write_map(
    store: CatalogStore, galleries: dict[str, Gallery], before: CatalogMap | None, folder: Path
) -> None:
    shown = galleries["images"] if len(galleries["images"]) else galleries["texts"]
    write_map(lay_out(shown, store.product_ids(), before), folder)


def _write_rows(
    store: CatalogStore, encoder: EncoderRow, adapter: Adapter | None, name: Side, folder: Path
) -> _Rows:
    """Writes vectors, primary keys and products of a gallery, row by row to disk."""
    model = GALLERIES[name]
    with store.engine.connect() as connection:
        count = connection.execute(select(func.count()).select_from(model)).scalar_one()
        query = (
            select(model.id, model.product_id, Vector.data)
            .join(Vector, Vector.content_hash == model.content_hash)
            .where(Vector.encoder_id == encoder.id)
            .order_by(model.id)
        )
        streamed = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query)
        vectors = _new_array(folder / f"{name}.vectors.npy", np.float16, (count, encoder.dim))
        ids = np.empty(count, np.int64)
        owners = np.empty(count, np.int64)
        filled = 0
        for part in streamed.partitions():
            end = filled + len(part)
            ids[filled:end] = [row[0] for row in part]
            owners[filled:end] = [row[1] for row in part]
            stored = _unpack([row[2] for row in part], encoder.dim, name)
            vectors[filled:end] = stored if adapter is None else adapter.apply(name, stored)
            filled = end
    if filled != count:
        raise CatalogError(
            f"{count - filled} of {count} {name} have no vector of model {encoder.name}; "
            "run `retrieval index SOURCE` again to finish"
        )
    products = np.searchsorted(store.product_ids(), owners).astype(np.int32)
    np.save(folder / f"{name}.ids.npy", ids)
    np.save(folder / f"{name}.products.npy", products)
    if isinstance(vectors, np.memmap):
        vectors.flush()
    return _Rows(vectors, ids, products)


def _write_index(
    name: str,
    rows: _Rows,
    queries: dict[str, Floats],
    folder: Path,
    settings: Settings,
    wanted: str,
    before: LiveIndex | None,
) -> GalleryEntry:
    count = len(rows.ids)
    exact = most_exact(settings.exact_limit, settings.index_memory_mb, rows.vectors.shape[1])
    kind = choose_type(wanted, count, exact)
    goal = goal_for(count, settings.recall_goal)
    taken = None if before is None else update_index(before, name, kind, rows.vectors, rows.ids)
    if before is not None and taken is not None:
        index, built, changed = taken.index, before.built, taken.changed
    else:
        index, built, changed = AnnIndex.build(kind, rows.vectors, rows.ids), count, 0
    recall = tune(index, rows.vectors, rows.ids, queries, goal)
    if changed and recall.worst < goal:
        index, built, changed = AnnIndex.build(kind, rows.vectors, rows.ids), count, 0
        recall = tune(index, rows.vectors, rows.ids, queries, goal)
    index.save(folder / f"{name}.faiss")
    return GalleryEntry(
        count, kind, index.search_effort, recall.by_query, index.rescore_depth, built, changed
    )


def _query_sample(rows: _Rows) -> Floats:
    picked = spread_evenly(len(rows.ids), RECALL_QUERIES)
    return np.asarray(rows.vectors[picked], dtype=np.float32)


def _new_array(path: Path, dtype: type, shape: tuple[int, int]) -> Any:
    if 0 in shape:  # an empty file cannot be mapped
        np.save(path, np.empty(shape, dtype))
        return np.empty(shape, dtype)
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)


def _unpack(blobs: list[bytes], dim: int, name: str) -> npt.NDArray[np.float16]:
    if any(len(blob) != 2 * dim for blob in blobs):
        raise CatalogError(
            f"a vector of the {name} has the wrong length; run `retrieval verify --repair`"
        )
    return np.frombuffer(b"".join(blobs), dtype="<f2").reshape(len(blobs), dim)
