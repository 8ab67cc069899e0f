"""Opens `catalog.db`: migrated to this version, in WAL mode, with foreign keys on."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import QueuePool

from retrieval.errors import CatalogError

CATALOG_FILE = "catalog.db"
BUSY_SECONDS = 30
SQL_VARIABLES = 500  # a statement of SQLite takes 999 in its oldest builds


def catalog_path(index: Path) -> Path:
    """Where an index keeps its catalog."""
    return index / CATALOG_FILE


def open_catalog(path: Path) -> Engine:
    """The engine of a catalog, made or migrated where needed; to read alone where it cannot be
    written to.

    Raises:
        CatalogError: the file is no SQLite database, is damaged, or was written by a newer
            version of this library.
    """
    if path.exists() and not can_write(path.parent):
        return _open_to_read(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    address = URL.create("sqlite", database=str(path))  # a plain string would read `?` and `#`
    engine = create_engine(address, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    try:
        _migrate(engine, path)
    except DatabaseError as error:
        engine.dispose()
        raise _unopened(path, error) from error
    except CatalogError:
        engine.dispose()
        raise
    return engine


def _unopened(path: Path, error: DatabaseError) -> CatalogError:
    # Operational is what lies around the file: a share that is gone, a disk that is full.
    advice = (
        "see that it can be read and written, and run this again"
        if isinstance(error, OperationalError)
        else "restore it from a backup, or delete the folder of the index and index again"
    )
    return CatalogError(f"{path} cannot be opened ({error.orig}); {advice}")


def can_write(index: Path) -> bool:
    """Whether this process may write into the folder of an index, and its catalog."""
    catalog = catalog_path(index)
    return os.access(index, os.W_OK) and (not catalog.exists() or os.access(catalog, os.W_OK))


def _open_to_read(path: Path) -> Engine:
    """As an earlier version may have left it. What a killed writer left in a log beside it is read
    with it; without one nobody can write, and the file is read as it stands."""
    log = path.with_name(f"{path.name}-wal")
    quoted = urllib.parse.quote(str(path.absolute()))
    unlogged = not log.exists() or log.stat().st_size == 0
    address = f"file:{quoted}?mode=ro{'&immutable=1' if unlogged else ''}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, check_same_thread=False, timeout=BUSY_SECONDS)

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)
    try:
        with engine.connect() as connection:
            current = _current_revision(connection)
    except DatabaseError as error:
        engine.dispose()
        raise _unopened(path, error) from error
    if current is not None:
        _check_known(ScriptDirectory.from_config(_alembic_config()), current, path)
    return engine


def _configure(connection: sqlite3.Connection, _record: object) -> None:
    # Python's own handling commits before each CREATE TABLE: killed then, a migration would be
    # half done for ever. So transactions are begun here, and hold for all statements alike.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA journal_mode = WAL")
    # With WAL, NORMAL may lose the last commits at a power cut but never damages the file; what
    # is lost is made again by the next run. Publishing checkpoints and syncs before it goes on.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", "retrieval.storage:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _migrate(engine: Engine, path: Path) -> None:
    config = _alembic_config()
    scripts = ScriptDirectory.from_config(config)
    with engine.connect() as connection:
        current = _current_revision(connection)
    if current == scripts.get_current_head():
        return
    if current is not None:
        _check_known(scripts, current, path)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _check_known(scripts: ScriptDirectory, current: str, path: Path) -> None:
    if current not in {script.revision for script in scripts.walk_revisions()}:
        raise CatalogError(
            f"{path} was written by a newer version (schema {current}); upgrade this library"
        )


def _current_revision(connection: Any) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if revision is None else str(revision)


def checkpoint(engine: Engine) -> None:
    """Moves the write-ahead log into the file and syncs it to disk."""
    with contextlib.closing(engine.raw_connection()) as connection:
        # Not within a transaction, which would hold the log.
        connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")


def in_chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Slices that fit into one statement's variables."""
    for start in range(0, len(items), SQL_VARIABLES):
        yield items[start : start + SQL_VARIABLES]
