"""What is read of `catalog.db` to derive a generation from it, and to hold one against it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, Engine, exists, func, literal, null, select
from sqlalchemy.exc import DatabaseError

from retrieval.common.adapter import Adapter
from retrieval.common.vectors import from_blobs
from retrieval.errors import CatalogError
from retrieval.settings import Settings
from retrieval.storage.entities import (
    EncoderInfo,
    Ids,
    Modality,
)
from retrieval.storage.folder.checksums import has_checksums, vector_checksum
from retrieval.storage.folder.database import catalog_path, open_catalog
from retrieval.storage.models import (
    AdapterRow,
    EncoderRow,
    Image,
    ProductRow,
    ProductText,
    State,
    Vector,
)

REVISION = "revision"
ROWS_AT_ONCE = 10_000
TABLES: dict[Modality, type[Image] | type[ProductText]] = {"images": Image, "texts": ProductText}


class CatalogReader:
    """`catalog.db` of an index, opened when it is first needed."""

    def __init__(self, index: Path, settings: Settings) -> None:
        self.index = index
        self._settings = settings
        self._encoder_ids: dict[str, int] = {}

    @cached_property
    def engine(self) -> Engine:
        """Made or migrated where needed; raises CatalogError."""
        return open_catalog(catalog_path(self.index))

    @cached_property
    def vector_checksum(self) -> Any:
        """The column of it; nothing where an earlier version left none, and none can be added."""
        with self._reading() as connection:
            return Vector.checksum if has_checksums(connection) else null()

    def close(self) -> None:
        if "engine" in self.__dict__:
            self.engine.dispose()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _told(), self.engine.connect() as connection:
            yield connection

    def revision(self) -> int:
        with self._reading() as connection:
            value = connection.execute(select(State.value).where(State.name == REVISION)).scalar()
        return int(value or 0)

    def counts(self) -> dict[str, int]:
        with self._reading() as connection:
            return {
                name: connection.execute(select(func.count()).select_from(model)).scalar_one()
                for name, model in (("products", ProductRow), *TABLES.items())
            }

    def active_encoder(self) -> EncoderInfo | None:
        with self._reading() as connection:
            row = connection.execute(select(EncoderRow).where(EncoderRow.active)).first()
        return None if row is None else EncoderInfo(row.fingerprint, row.name, row.dim, row.details)

    def adapter(self, fingerprint: str) -> Adapter | None:
        with self._reading() as connection:
            query = select(AdapterRow.data).where(
                AdapterRow.encoder_id == self.encoder_id(fingerprint)
            )
            data = connection.execute(query).scalar()
        return None if data is None else Adapter.from_bytes(data)

    def products_with(self, modalities: Sequence[Modality]) -> Ids:
        with self._reading() as connection:
            query = select(ProductRow.id).order_by(ProductRow.id)
            for modality in modalities:
                query = query.where(exists().where(TABLES[modality].product_id == ProductRow.id))
            return np.fromiter(connection.execute(query).scalars(), np.int64)

    def stored_rows(
        self, modality: Modality, fingerprint: str
    ) -> Iterator[tuple[Ids, Ids, npt.NDArray[np.float16], tuple[str, ...]]]:
        """As `rows`, of all products, with the vectors as they are stored.

        Raises:
            CatalogError: one of them is not as it was written.
        """
        encoder_id, model = self.encoder_id(fingerprint), TABLES[modality]
        dim = self._dim(encoder_id)
        field = ProductText.field if model is ProductText else literal("")
        query = (
            select(
                model.id,
                model.product_id,
                Vector.data,
                field,
                Vector.content_hash,
                self.vector_checksum,
            )
            .join(Vector, Vector.content_hash == model.content_hash)
            .where(Vector.encoder_id == encoder_id)
            .order_by(model.id)
        )
        with self._reading() as connection:
            streamed = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query)
            for part in streamed.partitions():
                wrong = sum(
                    row[5] is not None and row[5] != vector_checksum(row[4], row[2]) for row in part
                )
                if wrong:
                    # Whatever is made of them would be wrong without a word.
                    raise CatalogError(
                        f"{wrong} stored vectors of {modality} are not as they were written; run "
                        "`retrieval verify --repair`, which takes them from a generation that "
                        "holds them still"
                    )
                yield (
                    np.array([row[0] for row in part], dtype=np.int64),
                    np.array([row[1] for row in part], dtype=np.int64),
                    from_blobs([row[2] for row in part], dim, modality),
                    tuple(row[3] for row in part) if model is ProductText else (),
                )

    def encoder_id(self, fingerprint: str) -> int:
        """The row of an encoder that was registered; -1 where there is none."""
        if fingerprint not in self._encoder_ids:
            with self._reading() as connection:
                query = select(EncoderRow.id).where(EncoderRow.fingerprint == fingerprint)
                encoder_id = connection.execute(query).scalar()
            if encoder_id is None:
                return -1
            self._encoder_ids[fingerprint] = int(encoder_id)
        return self._encoder_ids[fingerprint]

    def _dim(self, encoder_id: int) -> int:
        with self._reading() as connection:
            query = select(EncoderRow.dim).where(EncoderRow.id == encoder_id)
            return int(connection.execute(query).scalar() or 0)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Raises CatalogError in place of what SQLAlchemy raises."""
    try:
        yield
    except DatabaseError as error:
        raise CatalogError(
            f"catalog.db cannot be read ({error.orig}); run `retrieval verify`"
        ) from error
