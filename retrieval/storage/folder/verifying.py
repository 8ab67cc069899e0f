"""Finds what does not fit together in an index."""

from __future__ import annotations

import contextlib
import functools
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import exists, func, select, text
from sqlalchemy.exc import DatabaseError

from retrieval.common.adapter import Adapter, fingerprint_of
from retrieval.common.vectors import Vectors, from_blobs
from retrieval.errors import CatalogError, IndexDamaged, IndexMissing
from retrieval.storage.entities import Manifest, Modality, Problem
from retrieval.storage.folder.catalog_reading import TABLES, CatalogReader
from retrieval.storage.folder.checksums import (
    ROWS,
    Row,
    fill_checksums,
    has_checksums,
    row_checksum,
    shown_columns,
    unchecked,
    vector_checksum,
    wrong_rows,
)
from retrieval.storage.folder.gallery import Gallery, GalleryFiles
from retrieval.storage.folder.generation_folders import (
    GENERATIONS,
    MANIFEST,
    Generations,
    live_manifest,
)
from retrieval.storage.folder.snapshot import SNAPSHOT_FILE, Snapshot
from retrieval.storage.models import EncoderRow, ProductRow, Vector

ROWS_AT_ONCE = 10_000
LENGTH_TOLERANCE = 0.01
ADAPTED_TOLERANCE = 2e-3


def check_catalog(catalog: CatalogReader) -> list[Problem]:
    """What is wrong within `catalog.db`."""
    try:
        return [
            *_sqlite_faults(catalog),
            *_bad_vectors(catalog),
            *_bad_rows(catalog),
            *_missing_vectors(catalog),
        ]
    except (DatabaseError, CatalogError) as error:
        return [_damaged(error)]


def _damaged(error: DatabaseError | CatalogError) -> Problem:
    cause = error if isinstance(error, DatabaseError) else error.__cause__
    reason = getattr(cause, "orig", None) or error
    return Problem(f"catalog.db is damaged ({reason}); restore a backup")


def _sqlite_faults(catalog: CatalogReader) -> list[Problem]:
    with catalog.engine.connect() as connection:
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


def _bad_vectors(catalog: CatalogReader) -> Iterator[Problem]:
    with catalog.engine.connect() as connection:
        encoders = connection.execute(select(EncoderRow.id, EncoderRow.dim))
        dims = {row.id: row.dim for row in encoders}
        rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(
            select(
                Vector.id,
                Vector.encoder_id,
                Vector.data,
                Vector.content_hash,
                catalog.vector_checksum,
            )
        )
        for vector_id, encoder_id, data, content_hash, checksum in rows:
            fault = _vector_fault(data, dims.get(encoder_id, 0))
            if checksum is not None and checksum != vector_checksum(content_hash, data):
                fault = fault or "is not as it was written"
            if fault:
                yield Problem(
                    f"stored vector {vector_id} {fault}; `retrieval verify --repair` takes it from "
                    "a generation, or drops it for `retrieval index SOURCE` to make again",
                    derived=True,
                    vector_id=vector_id,
                )


def _bad_rows(catalog: CatalogReader) -> list[Problem]:
    """Rows that are not as they were written."""
    with catalog.engine.connect() as connection:
        if not has_checksums(connection):
            return []
        wrong = {model.__tablename__: list(wrong_rows(connection, model)) for model in ROWS}
    return [
        Problem(
            f"{len(numbers)} rows of {name} in catalog.db are not as they were written (the first "
            f"has id {numbers[0]}); run `retrieval verify --repair`, which takes them from a "
            "generation",
            derived=True,
        )
        for name, numbers in wrong.items()
        if numbers
    ]


def refuse_damage(catalog: CatalogReader) -> None:
    """Raises CatalogError where rows would be published that are not as they were written.

    Those of earlier versions get their checksums here, where the generation made of them agrees.
    """
    problems = _bad_rows(catalog)
    with catalog.engine.connect() as connection:
        lacking = unchecked(connection)
    if lacking and not problems:
        problems = [problem for problem in check_generation(catalog) if problem.of_truth]
    if problems:
        raise CatalogError(
            f"{problems[0].text.partition(';')[0]}; run `retrieval verify --repair` first"
        )
    if lacking:
        with catalog.engine.begin() as connection:
            fill_checksums(connection)


def _vector_fault(data: bytes, dim: int) -> str | None:
    if len(data) != 2 * dim:
        return f"has {len(data)} bytes, not {2 * dim}"
    values = from_blobs([data], dim)[0].astype(np.float32)
    if not np.isfinite(values).all():
        return "holds values that are no numbers"
    length = float(np.linalg.norm(values))
    return None if abs(length - 1) < LENGTH_TOLERANCE else f"has length {length:.3f}, not 1"


def _missing_vectors(catalog: CatalogReader) -> list[Problem]:
    encoder = catalog.active_encoder()
    if encoder is None:
        return [Problem("no run has finished yet; run `retrieval index SOURCE` again")]
    problems = []
    for name, model in TABLES.items():
        vector = exists().where(
            Vector.encoder_id == catalog.encoder_id(encoder.fingerprint),
            Vector.content_hash == model.content_hash,
        )
        with catalog.engine.connect() as connection:
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


def check_generation(catalog: CatalogReader) -> list[Problem]:
    """What is wrong with the live generation, or between it and the catalog."""
    generations = Generations(catalog.index)
    leftovers = list((catalog.index / GENERATIONS).glob(".*.partial"))
    problems = [
        Problem(f"{path.name} was left by a killed run; the next run removes it", derived=True)
        for path in leftovers
    ]
    try:
        manifest = live_manifest(generations)
    except (IndexDamaged, IndexMissing) as error:
        return [*problems, Problem(str(error), derived=True)]
    damaged = generations.damaged_files(manifest)
    if not generations.is_as_written(manifest.generation):
        damaged.append(MANIFEST)
    for name in damaged:
        text_ = f"{name} of generation {manifest.generation} is not as it was written"
        problems.append(Problem(f"{text_}; run `retrieval verify --repair`", derived=True))
    if damaged or generations.rolled_back_to() is not None:
        return problems  # rolled back: it is meant to differ from the catalog
    try:
        return [*problems, *_compare(generations, manifest, catalog)]
    except IndexDamaged as error:
        return [*problems, Problem(str(error))]
    except (DatabaseError, CatalogError) as error:
        return [*problems, _damaged(error)]


def _compare(generations: Generations, manifest: Manifest, catalog: CatalogReader) -> list[Problem]:
    if manifest.revision != catalog.revision():
        return [
            Problem(
                "the catalog holds changes that are not published; run `retrieval rebuild`",
                derived=True,
            )
        ]
    return _differences(generations.folder(manifest.generation), manifest, catalog)


def _differences(folder: Path, manifest: Manifest, catalog: CatalogReader) -> list[Problem]:
    problems: list[Problem] = []

    def differs(what: str, *, of_truth: bool = False) -> None:
        text_ = f"{what}; run `retrieval verify --repair`"
        problems.append(Problem(text_, derived=True, of_truth=of_truth))

    encoder = catalog.active_encoder()
    adapter = catalog.adapter(encoder.fingerprint) if encoder else None
    if encoder is None or manifest.fingerprint != fingerprint_of(encoder.fingerprint, adapter):
        differs("the generation was made by another model or adapter than the catalog's")
        return problems
    for modality, entry in manifest.galleries.items():
        gallery = Gallery.load(GalleryFiles(folder, modality), entry)
        if not np.array_equal(gallery.index.ids(), gallery.ids):
            differs(f"FAISS and the vectors beside it hold different {modality}")
        wrong, unproven = _wrong_vectors(gallery, modality, encoder.fingerprint, adapter, catalog)
        if wrong:
            differs(f"{wrong} {modality} differ between the generation and the catalog")
        for vector_id in unproven:
            # The generation's file is as it was published, of the same revision: it is right.
            differs(f"stored vector {vector_id} is not the one that was published", of_truth=True)
            problems[-1] = replace(problems[-1], vector_id=vector_id)
    with contextlib.closing(Snapshot(folder / SNAPSHOT_FILE)) as snapshot:
        for model in ROWS:
            if _rows(snapshot.engine, model) != _rows(catalog.engine, model):
                what = "products" if model is ProductRow else f"rows of {model.__tablename__}"
                differs(f"the generation's {what} are not those of the catalog", of_truth=True)
    return problems


def _wrong_vectors(
    gallery: Gallery,
    modality: Modality,
    fingerprint: str,
    adapter: Adapter | None,
    catalog: CatalogReader,
) -> tuple[int, list[int]]:
    """How many rows are on one side only, or hold another vector there; and the stored vectors
    of them that have no checksum to say which side is right."""
    model = TABLES[modality]
    query = (
        select(model.id, Vector.data, Vector.id, catalog.vector_checksum)
        .join(Vector, Vector.content_hash == model.content_hash)
        .where(Vector.encoder_id == catalog.encoder_id(fingerprint))
        .order_by(model.id)
    )
    adapt = None if adapter is None else functools.partial(adapter.apply, modality)
    wrong = matched = 0
    unproven: list[int] = []
    with catalog.engine.connect() as connection:
        rows = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query)
        for part in rows.partitions():
            positions = gallery.positions_of(np.array([row[0] for row in part], dtype=np.int64))
            for position, row in zip(positions, part, strict=True):
                if position < 0:
                    wrong += 1
                    continue
                matched += 1
                if not _same(gallery.vectors[position], row[1], adapt):
                    wrong += 1
                    if row[3] is None and adapt is None:
                        unproven.append(row[2])
    return wrong + len(gallery) - matched, unproven


def _same(published: Any, stored: bytes, adapt: Callable[[Any], Vectors] | None) -> bool:
    """Whether a generation's vector is what the stored one gives."""
    if adapt is None:
        return bool(published.tobytes() == stored)
    if len(stored) != published.nbytes:
        return False
    # Another machine may sum in another order: the last bits are not held against it.
    made = adapt(from_blobs([stored], len(published)))[0]
    return bool(np.allclose(made, np.asarray(published, np.float32), atol=ADAPTED_TOLERANCE))


def _rows(engine: Any, model: Row) -> int:
    """One number for all rows of a table: equal where the rows are, in bounded memory."""
    summed = 0
    with engine.connect() as connection:
        query = select(*shown_columns(model)).order_by(model.id)
        for row in connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query).mappings():
            summed = zlib.crc32(f"{row['id']} {row_checksum(row)}".encode(), summed)
    return summed
