"""Mends `catalog.db` by the generations made of it: a good copy is taken wherever it lies.

A copy is good where it has the checksum that the truth keeps of it, or where its file is as it was
published and the truth keeps none, as an earlier version wrote it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine, delete, select, update

from retrieval.errors import GenerationGone, IndexDamaged
from retrieval.storage.entities import Manifest, Modality
from retrieval.storage.folder.catalog_reading import REVISION, TABLES
from retrieval.storage.folder.checksums import (
    ROWS,
    Row,
    columns_of,
    row_checksum,
    shown_columns,
    vector_checksum,
    wrong_rows,
)
from retrieval.storage.folder.database import in_chunks
from retrieval.storage.folder.gallery import GalleryFiles
from retrieval.storage.folder.generation_folders import Generations
from retrieval.storage.folder.snapshot import SNAPSHOT_FILE, Snapshot
from retrieval.storage.models import EncoderRow, Image, ProductRow, ProductText, State, Vector


@dataclass(frozen=True)
class _Copy:
    """A generation, as far as its snapshot can be read.

    Attributes:
        whole: names of the files that are as they were published.
        current: it shows the catalog as it stands.
    """

    folder: Path
    manifest: Manifest
    rows: Engine
    whole: frozenset[str]
    current: bool


@contextlib.contextmanager
def _copies(connection: Connection, index: Path) -> Iterator[list[_Copy]]:
    """The generations, the newest first."""
    generations = Generations(index)
    revision = connection.execute(select(State.value).where(State.name == REVISION)).scalar()
    copies: list[_Copy] = []
    with contextlib.ExitStack() as stack:
        for number in reversed(generations.numbers()):
            with contextlib.suppress(IndexDamaged, GenerationGone):
                manifest = generations.manifest(number)
                folder = generations.folder(number)
                snapshot = Snapshot(folder / SNAPSHOT_FILE)
                stack.callback(snapshot.close)
                whole = frozenset(manifest.files) - set(generations.damaged_files(manifest))
                current = manifest.revision == revision
                copies.append(_Copy(folder, manifest, snapshot.engine, whole, current))
        yield copies


def repair_rows(connection: Connection, index: Path) -> list[str]:
    """Mends products, photos and texts; one line for each thing done.

    Those of which no generation has a good copy are written anew by the next run on their source.
    """
    done: list[str] = []
    with _copies(connection, index) as copies:
        for model in ROWS:
            wrong = [*wrong_rows(connection, model), *_unlike(connection, model, copies)]
            mended = _mended(connection, model, copies, wrong)
            lost = len(wrong) - mended
            if mended:
                done.append(f"took {mended} rows of {model.__tablename__} from a generation")
            if lost:
                done.append(
                    f"{lost} damaged rows of {model.__tablename__} are in no generation; "
                    "`retrieval index SOURCE` writes them anew"
                )
    return done


def _unlike(connection: Connection, model: Row, copies: Sequence[_Copy]) -> list[int]:
    """Rows without a checksum that a whole generation of the same revision shows otherwise."""
    live = next((copy for copy in copies if copy.current and SNAPSHOT_FILE in copy.whole), None)
    query = select(*shown_columns(model)).where(model.checksum.is_(None))
    rows = {row["id"]: dict(row) for row in connection.execute(query).mappings()}
    if live is None or not rows:
        return []
    with live.rows.connect() as snapshot:
        published = snapshot.execute(select(*shown_columns(model))).mappings()
        return [row["id"] for row in published if rows.get(row["id"], dict(row)) != dict(row)]


def _mended(
    connection: Connection, model: Row, copies: Sequence[_Copy], wrong: Sequence[int]
) -> int:
    """Mends rows by primary key; how many it could."""
    mended = dict.fromkeys(wrong, False)
    for chunk in in_chunks(wrong):
        query = select(model.id, model.checksum).where(model.id.in_(chunk))
        checksums = {row.id: row.checksum for row in connection.execute(query)}
        for copy in copies:
            left = [number for number in chunk if not mended[number]]
            with contextlib.suppress(Exception), copy.rows.connect() as snapshot:
                # Whatever a damaged file of rows gives, it is held against the checksum.
                found = select(*columns_of(model)).where(model.id.in_(left))
                for row in snapshot.execute(found).mappings():
                    number, value = row["id"], row_checksum(row)
                    trusted = copy.current and SNAPSHOT_FILE in copy.whole
                    if value == checksums[number] or trusted:
                        change = update(model).where(model.id == number)
                        connection.execute(change.values(**dict(row), checksum=value))
                        mended[number] = True
        _forget(connection, model, [number for number in chunk if not mended[number]])
    return sum(mended.values())


def _forget(connection: Connection, model: Row, lost: Sequence[int]) -> None:
    """Lets the next run write these anew: their products no longer look as their source does."""
    owner = ProductRow.id if model is ProductRow else _owner(model)
    products = connection.execute(select(owner).where(model.id.in_(lost))).scalars().all()
    for product in connection.execute(
        select(*columns_of(ProductRow), ProductRow.checksum).where(ProductRow.id.in_(products))
    ).mappings():
        values: dict[str, Any] = {"row_hash": ""}
        if model is not ProductRow:  # else its checksum stays wrong, until it is written anew
            values["checksum"] = row_checksum({**columns_only(product), "row_hash": ""})
        change = update(ProductRow).where(ProductRow.id == product["id"])
        connection.execute(change.values(**values))
    if model is ProductText:  # made of its product's row, and kept by its hash alone
        connection.execute(delete(ProductText).where(ProductText.id.in_(lost)))


def columns_only(row: Any) -> dict[str, Any]:
    """What a row's checksum is of."""
    return {name: value for name, value in row.items() if name != "checksum"}


def _owner(model: Row) -> Any:
    return Image.product_id if model is Image else ProductText.product_id


def repair_vectors(connection: Connection, index: Path, wrong: Sequence[int]) -> list[str]:
    """Mends stored vectors by primary key, or drops them; one line for each thing done."""
    taken = dropped = 0
    if not wrong:
        return []
    with _copies(connection, index) as copies:
        for chunk in in_chunks(sorted(set(wrong))):
            query = (
                select(
                    Vector.id,
                    Vector.content_hash,
                    Vector.data,
                    Vector.checksum,
                    EncoderRow.fingerprint,
                )
                .join(EncoderRow, EncoderRow.id == Vector.encoder_id, isouter=True)
                .where(Vector.id.in_(chunk))
            )
            for row in connection.execute(query).all():
                good = next(filter(None, (_good_vector(copy, row) for copy in copies)), None)
                as_made = row.checksum == vector_checksum(row.content_hash, row.data)
                if good is None or as_made:  # a model made it so, without a direction
                    connection.execute(delete(Vector).where(Vector.id == row.id))
                    dropped += 1
                else:
                    value = vector_checksum(row.content_hash, good)
                    change = update(Vector).where(Vector.id == row.id)
                    connection.execute(change.values(data=good, checksum=value))
                    taken += 1
    done = [f"took {taken} stored vectors from a generation"] if taken else []
    if dropped:
        done.append(f"dropped {dropped} stored vectors that could not be right")
    return done


def _good_vector(copy: _Copy, row: Any) -> bytes | None:
    """What a generation has of a stored vector, where it is good."""
    if copy.manifest.fingerprint != row.fingerprint:  # another model's, or an adapter's
        return None
    for modality, model in TABLES.items():
        files = GalleryFiles(copy.folder, modality)
        with contextlib.suppress(Exception), copy.rows.connect() as snapshot:
            # Whatever a damaged file gives, it is held against the checksum.
            query = select(model.id).where(model.content_hash == row.content_hash).limit(1)
            number = snapshot.execute(query).scalar()
            if number is None:
                continue
            ids = np.load(files.ids, mmap_mode="r")
            place = int(np.searchsorted(ids, number))
            data: bytes = np.load(files.vectors, mmap_mode="r")[place].tobytes()
            value = vector_checksum(row.content_hash, data)
            if ids[place] == number and (
                value == row.checksum or _proven(copy, modality, data, row)
            ):
                return data
    return None


def _proven(copy: _Copy, modality: Modality, data: bytes, row: Any) -> bool:
    """Whether its files alone say that it is right: the truth has no checksum of it, or one that
    was hit itself."""
    files = GalleryFiles(copy.folder, modality)
    whole = {SNAPSHOT_FILE, files.ids.name, files.vectors.name} <= copy.whole
    return whole and (row.checksum is None or data == row.data)
