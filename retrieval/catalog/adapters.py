"""The adapter of the catalog, beside the vectors that it is applied to when they are published."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, delete, insert, select

from retrieval.catalog.models import AdapterRow
from retrieval.catalog.store import bump_revision
from retrieval.common.adapter import Adapter


def stored_adapter(engine: Engine, encoder_id: int) -> Adapter | None:
    """The adapter that was adopted for an encoder's vectors; None where there is none."""
    with engine.connect() as connection:
        query = select(AdapterRow.data).where(AdapterRow.encoder_id == encoder_id)
        data = connection.execute(query).scalar()
    return None if data is None else Adapter.from_bytes(data)


def adopt_adapter(
    engine: Engine, encoder_id: int, adapter: Adapter, details: dict[str, Any]
) -> None:
    """Stores an adapter in place of what was there; `details` say what it was judged by."""
    with engine.begin() as connection:
        connection.execute(delete(AdapterRow).where(AdapterRow.encoder_id == encoder_id))
        row = insert(AdapterRow).values(
            encoder_id=encoder_id, data=adapter.to_bytes(), details=details
        )
        connection.execute(row)
        bump_revision(connection)


def remove_adapter(engine: Engine, encoder_id: int) -> bool:
    """Drops the adapter of an encoder; tells whether there was one."""
    with engine.begin() as connection:
        gone = connection.execute(
            delete(AdapterRow).where(AdapterRow.encoder_id == encoder_id)
        ).rowcount
        if gone:
            bump_revision(connection)
    return bool(gone)
