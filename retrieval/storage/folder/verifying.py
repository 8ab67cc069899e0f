"""Finds what does not fit together in an index."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import exists, func, select, text
from sqlalchemy.exc import DatabaseError

from retrieval.common.adapter import Adapter, Side, fingerprint_of
from retrieval.encoders import Vectors
from retrieval.errors import IndexDamaged, IndexMissing
from retrieval.storage.entities import Manifest, Problem
from retrieval.storage.folder.catalog import CatalogStore, stored_adapter
from retrieval.storage.folder.gallery import Gallery
from retrieval.storage.folder.generation_folders import GENERATIONS, Generations, live_manifest
from retrieval.storage.folder.snapshot import SNAPSHOT_FILE, Snapshot
from retrieval.storage.models import EncoderRow, Image, ProductRow, ProductText, Vector

ROWS_AT_ONCE = 10_000
LENGTH_TOLERANCE = 0.01
ADAPTED_TOLERANCE = 2e-3
_MODELS: dict[str, type[Image] | type[ProductText]] = {"images": Image, "texts": ProductText}


def check_catalog(store: CatalogStore) -> list[Problem]:
    """What is wrong within `catalog.db`."""
    try:
        return [*_sqlite_faults(store), *_bad_vectors(store), *_missing_vectors(store)]
    except DatabaseError as error:
        return [_damaged(error)]


def _damaged(error: DatabaseError) -> Problem:
    return Problem(f"catalog.db is damaged ({error.orig}); restore a backup")


def _sqlite_faults(store: CatalogStore) -> list[Problem]:
    with store.engine.connect() as connection:
        lines = connection.execute(text("PRAGMA integrity_check(10)")).scalars().all()
        orphans = connection.execute(text("PRAGMA foreign_key_check")).all()
    problems = [
        Problem(f"catalog.db is damaged ({line}); restore a backup")
        for line in lines
        if line != "ok"
    ]
    return problems + [
        Problem(f"a row of {row[0]} belongs to nothing; index again") for row in orphans
    ]


def _bad_vectors(store: CatalogStore) -> Iterator[Problem]:
    with store.engine.connect() as connection:
        encoders = connection.execute(select(EncoderRow.id, EncoderRow.dim))
        dims = {row.id: row.dim for row in encoders}
        rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(
            select(Vector.id, Vector.encoder_id, Vector.data)
        )
        for vector_id, encoder_id, data in rows:
            fault = _vector_fault(data, dims.get(encoder_id, 0))
            if fault:
                yield Problem(
                    f"stored vector {vector_id} {fault}; `retrieval verify --repair` drops it, "
                    "`retrieval index SOURCE` makes it again",
                    derived=True,
                    vector_id=vector_id,
                )


def _vector_fault(data: bytes, dim: int) -> str | None:
    if len(data) != 2 * dim:
        return f"has {len(data)} bytes, not {2 * dim}"
    values = np.frombuffer(data, dtype="<f2").astype(np.float32)
    if not np.isfinite(values).all():
        return "holds values that are no numbers"
    length = float(np.linalg.norm(values))
    return None if abs(length - 1) < LENGTH_TOLERANCE else f"has length {length:.3f}, not 1"


def _missing_vectors(store: CatalogStore) -> list[Problem]:
    encoder = store.active_encoder()
    if encoder is None:
        return [Problem("no run has finished yet; run `retrieval index SOURCE` again")]
    problems = []
    for name, model in _MODELS.items():
        vector = exists().where(
            Vector.encoder_id == encoder.id, Vector.content_hash == model.content_hash
        )
        with store.engine.connect() as connection:
            query = select(func.count()).select_from(model).where(~vector)
            missing = connection.execute(query).scalar_one()
        if missing:
            problems.append(
                Problem(
                    f"{missing} {name} have no vector of {encoder.name}; "
                    "run `retrieval index SOURCE` to make them"
                )
            )
    return problems


def check_generation(index: Path, store: CatalogStore) -> list[Problem]:
    """What is wrong with the live generation, or between it and the catalog."""
    generations = Generations(index)
    leftovers = list((index / GENERATIONS).glob(".*.partial"))
    problems = [
        Problem(f"{path.name} was left by a killed run; the next run removes it", derived=True)
        for path in leftovers
    ]
    try:
        manifest = live_manifest(generations)
    except (IndexDamaged, IndexMissing) as error:
        return [*problems, Problem(str(error), derived=True)]
    for name in generations.damaged_files(manifest):
        text_ = f"{name} of generation {manifest.generation} is not as it was written"
        problems.append(Problem(f"{text_}; run `retrieval rebuild`", derived=True))
    if problems:
        return problems
    if manifest.generation < max(generations.numbers()):
        return problems  # rolled back: it is meant to differ from the catalog
    try:
        return _compare(generations, manifest, store)
    except IndexDamaged as error:
        return [Problem(str(error))]
    except DatabaseError as error:
        return [_damaged(error)]


def _compare(generations: Generations, manifest: Manifest, store: CatalogStore) -> list[Problem]:
    if manifest.revision != store.revision():
        return [
            Problem(
                "the catalog holds changes that are not published; run `retrieval rebuild`",
                derived=True,
            )
        ]
    return _differences(generations.folder(manifest.generation), manifest, store)


def _differences(folder: Path, manifest: Manifest, store: CatalogStore) -> list[Problem]:
    problems: list[Problem] = []

    def differs(what: str) -> None:
        problems.append(Problem(f"{what}; run `retrieval rebuild`", derived=True))

    encoder = store.active_encoder()
    adapter = stored_adapter(store.engine, encoder.id) if encoder else None
    if encoder is None or manifest.fingerprint != fingerprint_of(encoder.fingerprint, adapter):
        differs("the generation was made by another model or adapter than the catalog's")
        return problems
    for name, entry in manifest.galleries.items():
        gallery = Gallery.load(
            folder, name, entry.index_type, entry.search_effort, entry.rescore_depth
        )
        if not np.array_equal(gallery.index.ids(), gallery.ids):
            differs(f"FAISS and the vectors beside it hold different {name}")
        wrong = _wrong_vectors(gallery, _MODELS[name], encoder.id, adapter, store)
        if wrong:
            differs(f"{wrong} {name} differ between the generation and the catalog")
    with contextlib.closing(Snapshot(folder / SNAPSHOT_FILE)) as snapshot:
        if _products(snapshot.engine) != _products(store.engine):
            differs("the generation's products are not those of the catalog")
    return problems


def _wrong_vectors(
    gallery: Gallery,
    model: type[Image] | type[ProductText],
    encoder_id: int,
    adapter: Adapter | None,
    store: CatalogStore,
) -> int:
    """How many rows are on one side only, or hold another vector there."""
    query = (
        select(model.id, Vector.data)
        .join(Vector, Vector.content_hash == model.content_hash)
        .where(Vector.encoder_id == encoder_id)
        .order_by(model.id)
    )
    side: Side = "images" if model is Image else "texts"
    adapt = None if adapter is None else functools.partial(adapter.apply, side)
    wrong = matched = 0
    with store.engine.connect() as connection:
        rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query)
        for part in rows.partitions():
            positions = gallery.positions_of(np.array([row[0] for row in part], dtype=np.int64))
            for position, row in zip(positions, part, strict=True):
                if position < 0:
                    wrong += 1
                    continue
                matched += 1
                wrong += not _same(gallery.vectors[position], row[1], adapt)
    return wrong + len(gallery) - matched


def _same(shown: Any, stored: bytes, adapt: Callable[[Any], Vectors] | None) -> bool:
    """Whether a generation's vector is what the stored one gives."""
    if adapt is None:
        return bool(shown.tobytes() == stored)
    if len(stored) != shown.nbytes:
        return False
    # Another machine may sum in another order: the last bits are not held against it.
    made = adapt(np.frombuffer(stored, dtype="<f2")[None])[0]
    return bool(np.allclose(made, np.asarray(shown, np.float32), atol=ADAPTED_TOLERANCE))


def _products(engine: Any) -> list[Any]:
    columns = (ProductRow.id, ProductRow.key, ProductRow.row_hash)
    with engine.connect() as connection:
        return list(connection.execute(select(*columns).order_by(ProductRow.id)))
