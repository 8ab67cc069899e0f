"""`catalog.db`, read and written in batches: one writer at a time, which the lock sees to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, exists, insert, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import OperationalError

from retrieval.common.adapter import Adapter
from retrieval.common.products import ProductRecord
from retrieval.common.progress import Progress
from retrieval.common.text import visible
from retrieval.common.vectors import Vectors, from_blobs, to_blob
from retrieval.errors import DiskFull
from retrieval.storage.base import Catalog
from retrieval.storage.entities import (
    EncoderInfo,
    Ids,
    Modality,
    Problem,
    ProductChange,
    Rows,
    StoredImage,
    StoredProduct,
)
from retrieval.storage.folder.catalog_reading import REVISION, TABLES, CatalogReader
from retrieval.storage.folder.catalog_rows import (
    images_of,
    texts_of,
    vector_row,
    write_products,
)
from retrieval.storage.folder.checksums import (
    columns_of,
    fill_checksums,
    has_checksums,
    unchecked,
)
from retrieval.storage.folder.database import in_chunks
from retrieval.storage.folder.disk import is_of_full_disk
from retrieval.storage.folder.generation_folders import Generations
from retrieval.storage.folder.publishing import FolderDraft, drafted
from retrieval.storage.folder.repairing import repair_rows, repair_vectors
from retrieval.storage.folder.verifying import check_catalog, check_generation
from retrieval.storage.models import (
    AdapterRow,
    EncoderRow,
    Image,
    ProductRow,
    ProductText,
    Removal,
    State,
    Vector,
)

_PRODUCTS = select(*columns_of(ProductRow))


class FolderCatalog(CatalogReader, Catalog):
    """The truth of an index in a folder."""

    @contextlib.contextmanager
    def _writing(self) -> Iterator[Connection]:
        try:
            with self.engine.begin() as connection:
                yield connection
        except OperationalError as error:
            if not is_of_full_disk(error):
                raise
            raise DiskFull(
                f"the disk of {self.index} is full ({error.orig}); make room and run this again: "
                "what was committed stays"
            ) from error

    def register_encoder(self, encoder: EncoderInfo) -> None:
        with self._writing() as connection:
            known = connection.execute(
                select(EncoderRow).where(EncoderRow.fingerprint == encoder.fingerprint)
            ).first()
            if known is None:
                connection.execute(insert(EncoderRow).values(**vars(encoder), active=False))
            elif known.name != encoder.name:  # its folder was moved: readers must learn where it is
                change = update(EncoderRow).where(EncoderRow.id == known.id)
                connection.execute(change.values(name=encoder.name))
                _bump_revision(connection)

    def activate_encoder(self, fingerprint: str) -> None:
        encoder_id = self.encoder_id(fingerprint)
        with self._writing() as connection:
            active = select(EncoderRow.active).where(EncoderRow.id == encoder_id)
            if not connection.execute(active).scalar():
                connection.execute(update(EncoderRow).values(active=EncoderRow.id == encoder_id))
                _bump_revision(connection)

    def set_adapter(
        self, fingerprint: str, adapter: Adapter | None, details: Mapping[str, Any] | None = None
    ) -> None:
        encoder_id = self.encoder_id(fingerprint)
        with self._writing() as connection:
            dropped = connection.execute(
                delete(AdapterRow).where(AdapterRow.encoder_id == encoder_id)
            )
            if adapter is not None:
                row = insert(AdapterRow).values(
                    encoder_id=encoder_id, data=adapter.to_bytes(), details=dict(details or {})
                )
                connection.execute(row)
            if adapter is not None or dropped.rowcount:
                _bump_revision(connection)

    def stored(self, keys: Sequence[str], fingerprint: str | None) -> dict[str, StoredProduct]:
        encoder_id = None if fingerprint is None else self.encoder_id(fingerprint)
        products: dict[str, Any] = {}
        spelt = self._spelt(keys)
        with self._reading() as connection:
            for chunk in in_chunks(list(spelt)):
                query = select(ProductRow.id, ProductRow.key, ProductRow.row_hash)
                for row in connection.execute(query.where(ProductRow.key.in_(chunk))):
                    # To the letter before another spelling.
                    if row.key == spelt[row.key] or spelt[row.key] not in products:
                        products[spelt[row.key]] = row
            ids = [product.id for product in products.values()]
            images: dict[int, list[StoredImage]] = {}
            texts: dict[int, list[tuple[str, bool]]] = {}
            for part in in_chunks(ids):
                images |= images_of(connection, part, encoder_id)
                texts |= texts_of(connection, part, encoder_id)
        return {
            key: StoredProduct(
                id=product.id,
                row_hash=product.row_hash,
                images=tuple(images.get(product.id, ())),
                text_hashes=tuple(h for h, _ in texts.get(product.id, ())),
                texts_have_vectors=all(has for _, has in texts.get(product.id, ())),
            )
            for key, product in products.items()
        }

    def _spelt(self, keys: Sequence[str]) -> dict[str, str]:
        """Ways in which products with these ids may be stored -> the ids.

        An export with a mark before its ids, or a disk that takes letters apart, names the same
        products as the one before it.
        """
        seen = {visible(key): key for key in keys}
        spelt = {**seen, **{stored: seen[way] for way, stored in self._hidden if way in seen}}
        return {**spelt, **{key: key for key in keys}}

    @cached_property
    def _hidden(self) -> list[tuple[str, str]]:
        """(what is seen of it, as it is stored) of ids in which more is stored than is seen."""
        query = select(ProductRow.key).where(ProductRow.key.op("GLOB")("*[^!-~]*"))
        with self._reading() as connection:
            keys = connection.execute(query).scalars().all()
        return [(way, key) for key in keys if (way := visible(key)) != key]

    def known_vectors(self, hashes: Iterable[str], fingerprint: str) -> set[str]:
        encoder_id = self.encoder_id(fingerprint)
        known: set[str] = set()
        with self._reading() as connection:
            for chunk in in_chunks(sorted(set(hashes))):
                query = select(Vector.content_hash).where(
                    Vector.encoder_id == encoder_id, Vector.content_hash.in_(chunk)
                )
                known.update(connection.execute(query).scalars())
        return known

    def vectors(self, hashes: Iterable[str], fingerprint: str) -> dict[str, Vectors]:
        encoder_id = self.encoder_id(fingerprint)
        keys: list[str] = []
        blobs: list[bytes] = []
        with self._reading() as connection:
            for chunk in in_chunks(sorted(set(hashes))):
                query = select(Vector.content_hash, Vector.data).where(
                    Vector.encoder_id == encoder_id, Vector.content_hash.in_(chunk)
                )
                for key, data in connection.execute(query):
                    keys.append(key)
                    blobs.append(data)
        vectors = from_blobs(blobs, self._dim(encoder_id)).astype(np.float32)
        return dict(zip(keys, vectors, strict=True))

    def write(
        self, changes: Sequence[ProductChange], vectors: Mapping[str, Vectors], fingerprint: str
    ) -> None:
        encoder_id = self.encoder_id(fingerprint)
        with self._writing() as connection:
            if vectors:
                rows = [
                    vector_row(encoder_id, key, to_blob(vector)) for key, vector in vectors.items()
                ]
                connection.execute(sqlite_insert(Vector).on_conflict_do_nothing(), rows)
            write_products(connection, changes)
            for chunk in in_chunks([change.record.key for change in changes]):
                connection.execute(delete(Removal).where(Removal.key.in_(chunk)))
            if vectors or any(change.visible for change in changes):
                _bump_revision(connection)

    def remove(self, keys: Sequence[str], *, remember: bool = False) -> list[str]:
        known: dict[str, str] = {}
        with self._writing() as connection:
            for chunk in in_chunks(keys):
                here = ProductRow.key.in_(chunk)
                described = select(ProductRow.key, ProductRow.row_hash).where(here)
                known |= {row.key: row.row_hash for row in connection.execute(described)}
                connection.execute(delete(ProductRow).where(here))
            if known and remember:
                rows = [{"key": key, "row_hash": row_hash} for key, row_hash in known.items()]
                connection.execute(insert(Removal).prefix_with("OR REPLACE"), rows)
            if known:
                _bump_revision(connection)
        return [key for key in dict.fromkeys(keys) if key in known]

    def removals(self) -> dict[str, str]:
        with self._reading() as connection:
            rows = connection.execute(select(Removal.key, Removal.row_hash))
            return {row.key: row.row_hash for row in rows}

    def remove_except(self, keys: set[str]) -> int:
        with self._writing() as connection:
            stored = connection.execute(select(ProductRow.id, ProductRow.key)).all()
            seen = set(map(visible, keys))
            gone = [row.id for row in stored if visible(row.key) not in seen]
            for chunk in in_chunks(gone):
                connection.execute(delete(ProductRow).where(ProductRow.id.in_(chunk)))
            if gone:
                _bump_revision(connection)
        return len(gone)

    def count_except(self, keys: set[str]) -> int:
        with self._reading() as connection:
            stored = connection.execute(select(ProductRow.key)).scalars()
            seen = set(map(visible, keys))
            return sum(visible(key) not in seen for key in stored)

    def incomplete(self, fingerprint: str) -> Ids:
        encoder_id = self.encoder_id(fingerprint)
        ids: set[int] = set()
        with self._reading() as connection:
            for model in TABLES.values():
                vector = exists().where(
                    Vector.encoder_id == encoder_id, Vector.content_hash == model.content_hash
                )
                ids.update(connection.execute(select(model.product_id).where(~vector)).scalars())
        return np.array(sorted(ids), dtype=np.int64)

    def records(self, products: Ids) -> Iterator[ProductRecord]:
        base = self.index.resolve()
        for ids in in_chunks(products.tolist()):
            with self._reading() as connection:
                images = images_of(connection, ids, None)
                rows = connection.execute(_PRODUCTS.where(ProductRow.id.in_(ids))).all()
            for row in rows:
                yield ProductRecord(
                    key=row.key,
                    title=row.title,
                    description=row.description,
                    category=row.category,
                    brand=row.brand,
                    price=row.price,
                    attributes=row.attributes,
                    images=tuple(image.path for image in images.get(row.id, ())),
                    base=base,
                    row_hash=row.row_hash,
                )

    def rows(
        self, modality: Modality, fingerprint: str, products: Ids | None = None
    ) -> Iterator[Rows]:
        for ids, owners, vectors, fields in self.stored_rows(modality, fingerprint):
            kept = np.ones(len(ids), np.bool_) if products is None else np.isin(owners, products)
            if kept.any():
                yield Rows(
                    ids[kept],
                    owners[kept],
                    vectors[kept].astype(np.float32),
                    tuple(field for field, keep in zip(fields, kept, strict=False) if keep),
                )

    def drop_unused_vectors(self) -> int:
        used = exists().where(Image.content_hash == Vector.content_hash) | exists().where(
            ProductText.content_hash == Vector.content_hash
        )
        with self._writing() as connection:
            return connection.execute(delete(Vector).where(~used)).rowcount

    def clean_up(self) -> int:
        return Generations(self.index).clean_up()

    def verify(self, progress: Progress) -> list[Problem]:
        with progress.task("checking the catalog"):
            problems = check_catalog(self)
        with progress.task("checking the generation"):
            problems += check_generation(self)
        if not problems:
            self._fill_checksums()
        return problems

    def _fill_checksums(self) -> None:
        """For rows of earlier versions, once they agree with the generation made of them."""
        with contextlib.suppress(OperationalError):  # it is read-only here
            with self._reading() as connection:
                lacking = has_checksums(connection) and unchecked(connection)
            if lacking:
                with self._writing() as connection:
                    fill_checksums(connection)

    def repair(self, problems: Sequence[Problem]) -> list[str]:
        done: list[str] = []
        bad_vectors = [p.vector_id for p in problems if p.vector_id is not None]
        with self._writing() as connection:
            done += repair_rows(connection, self.index)
            done += repair_vectors(connection, self.index, bad_vectors)
        if self.clean_up():
            done.append("removed what a killed run had left behind")
        return done

    def draft(
        self, progress: Progress, index_type: str | None = None, *, anew: bool = False
    ) -> contextlib.AbstractContextManager[FolderDraft]:
        return drafted(self, self._settings, progress, index_type, anew=anew)


def _bump_revision(connection: Connection) -> None:
    row = sqlite_insert(State).values(name=REVISION, value=1)
    counted = row.on_conflict_do_update(
        index_elements=[State.name], set_={"value": State.value + 1}
    )
    connection.execute(counted)
