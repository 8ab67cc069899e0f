"""A `catalog.db` that migrates, refuses, and survives being cut off."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect

from retrieval.errors import CatalogError, IndexDamaged
from retrieval.storage.folder.database import CATALOG_FILE, open_catalog
from retrieval.storage.folder.snapshot import Snapshot
from retrieval.storage.models import Base


def test_the_migrations_make_what_the_models_say(tmp_path: Path) -> None:
    engine = open_catalog(tmp_path / CATALOG_FILE)
    made = inspect(engine)
    for table in Base.metadata.tables.values():
        columns = {column["name"]: column for column in made.get_columns(table.name)}
        assert set(columns) == {column.name for column in table.columns}
        for column in table.columns:
            assert columns[column.name]["nullable"] == column.nullable, column
        indexed = {tuple(index["column_names"]) for index in made.get_indexes(table.name)}
        wanted = {tuple(column.name for column in index.columns) for index in table.indexes}
        assert wanted <= indexed
    engine.dispose()


def test_the_catalog_is_durable_and_strict(tmp_path: Path) -> None:
    engine = open_catalog(tmp_path / CATALOG_FILE)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()
    open_catalog(tmp_path / CATALOG_FILE).dispose()


def test_a_catalog_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    open_catalog(tmp_path / CATALOG_FILE).dispose()
    with sqlite3.connect(tmp_path / CATALOG_FILE) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(CatalogError, match="upgrade"):
        open_catalog(tmp_path / CATALOG_FILE)


def test_a_file_that_is_no_catalog_is_refused(tmp_path: Path) -> None:
    (tmp_path / CATALOG_FILE).write_bytes(b"certainly not a database " * 50)
    with pytest.raises(CatalogError, match="cannot be opened"):
        open_catalog(tmp_path / CATALOG_FILE)
    with pytest.raises(IndexDamaged, match="repair"):
        Snapshot(tmp_path / CATALOG_FILE)


def test_a_migration_that_is_cut_off_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a schema without a version could never be migrated again."""
    from alembic import op

    real = op.create_table

    def fail_at_vector(name: str, *columns: Any, **options: Any) -> Any:
        if name == "vector":
            raise MemoryError("cut off")
        return real(name, *columns, **options)

    with monkeypatch.context() as patch:
        patch.setattr(op, "create_table", fail_at_vector)
        with pytest.raises(MemoryError):
            open_catalog(tmp_path / CATALOG_FILE)
    engine = open_catalog(tmp_path / CATALOG_FILE)
    assert "vector" in inspect(engine).get_table_names()
    engine.dispose()
