"""CSV, TSV, JSONL, Parquet or a folder of images -> `ProductRecord` or `Reject`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from retrieval.common.products import ProductRecord, Reject
from retrieval.common.text import visible
from retrieval.errors import SourceError
from retrieval.settings import Settings
from retrieval.sources.columns import apply_map, check_mapping, guess_mapping, parse_map
from retrieval.sources.folder import ImageFolder
from retrieval.sources.parquet import ParquetTable
from retrieval.sources.records import EMPTY_ROW, RowReader
from retrieval.sources.tables import CsvTable, JsonlTable

__all__ = [
    "EMPTY_ROW",
    "OutOfSight",
    "ProductRecord",
    "Reject",
    "Source",
    "Table",
    "open_source",
    "open_table",
    "parse_map",
    "unread_tables",
]

_TABLES: dict[str, type[CsvTable] | type[JsonlTable] | type[ParquetTable]] = {
    ".csv": CsvTable,
    ".tsv": CsvTable,
    ".txt": CsvTable,
    ".jsonl": JsonlTable,
    ".ndjson": JsonlTable,
    ".parquet": ParquetTable,
    ".pq": ParquetTable,
}
EMPTY_FOLDER = (
    "is empty, as is a folder whose disk is not mounted; mount it, or remove the folder "
    "if its photos are gone"
)
# Rows in which it is looked up how a column writes its prices.
SAMPLE_ROWS = 10_000
_SPREADSHEETS = {".xlsx", ".xls", ".xlsm", ".ods", ".numbers"}


class Table(Protocol):
    """Rows of cells, each with its number; what cannot be read is a Reject."""

    columns: list[str]

    def rows(
        self, wanted: Collection[str] | None = None
    ) -> Iterator[tuple[int, dict[str, Any]] | Reject]:
        """All rows; `wanted` names the only columns that are needed, where others cost time."""
        ...


@dataclass(frozen=True)
class OutOfSight:
    """A folder of a source that was not looked into: what lies behind it is not gone.

    Attributes:
        name: its path within the source; ids of products behind it begin with it.
        path: where it is.
        reason: why, and what to do; empty where its photos are there by another path.
        certain: it cannot be read; else it is so only where products are known behind it.
    """

    name: str
    path: Path
    reason: str
    certain: bool

    def holds(self, key: str, photos: Iterable[Path]) -> bool:
        """Whether a product lies behind it, by its id or by where its photos are."""
        return key.startswith(f"{self.name}/") or any(
            photo.is_relative_to(self.path) for photo in photos
        )


class Source:
    """Products to index, in the order of the source; may be read several times.

    Attributes:
        path: the file or folder.
        mapping: the columns that make each field.
        attributes: the other columns, kept as attributes.
    """

    def __init__(self, path: Path, table: Table, mapping: dict[str, list[str]], limit: int):
        self.path = path
        self.mapping = mapping
        used = {column for columns in mapping.values() for column in columns}
        self.attributes = [column for column in table.columns if column not in used]
        self._table = table
        if isinstance(table, CsvTable) and mapping.get("id"):
            table.key_column = mapping["id"][0]
        self._base = (path if path.is_dir() else path.parent).resolve()
        self._reader = RowReader(mapping, self._base, limit)

    @property
    def indexes_passed_over(self) -> list[Path]:
        """Folders below it that are an index, and no source; known once it was read."""
        return list(self._table.walk.indexes) if isinstance(self._table, ImageFolder) else []

    @property
    def out_of_sight(self) -> list[OutOfSight]:
        """Folders whose products it would have, but cannot tell today; known once it was read."""
        if not isinstance(self._table, ImageFolder):
            return []
        walk = self._table.walk
        reasons = dict(walk.unread)
        reasons |= dict.fromkeys(walk.empty, EMPTY_FOLDER)
        reasons |= dict.fromkeys(walk.elsewhere, "")
        return [
            OutOfSight(name, self._base / name, reason, folder in walk.unread)
            for folder, reason in sorted(reasons.items())
            if (name := folder.relative_to(self.path).as_posix()) != "."
        ]

    @property
    def taken(self) -> Mapping[str, int]:
        """Of a folder: its photos by suffix, once it was read."""
        return self._table.walk.taken if isinstance(self._table, ImageFolder) else {}

    @property
    def passed_over(self) -> Mapping[str, int]:
        """Of a folder: pictures of kinds that are not read, by suffix, once it was read."""
        return self._table.walk.passed_over if isinstance(self._table, ImageFolder) else {}

    def count(self) -> int:
        """The number of rows, good or not."""
        return sum(1 for _ in self._table.rows())

    def _sample(self) -> Iterator[dict[str, Any]]:
        for item in islice(self._table.rows(self.mapping.get("price")), SAMPLE_ROWS):
            if not isinstance(item, Reject):
                yield item[1]

    def _read(self, reader: RowReader, row: int, cells: dict[str, Any]) -> ProductRecord | Reject:
        try:
            return reader.read(row, cells)
        except RecursionError:
            return Reject(row, None, "row", "", "the row is nested too deeply; flatten it")

    def __iter__(self) -> Iterator[ProductRecord | Reject]:
        """Each row as a record or a Reject; of rows with one id the first is taken."""
        first_row: dict[str, int] = {}
        reader = self._reader.after_a_look(self._sample() if self.mapping.get("price") else ())
        for item in self._table.rows():
            record = item if isinstance(item, Reject) else self._read(reader, *item)
            if isinstance(record, ProductRecord):
                earlier = first_row.setdefault(visible(record.key), record.row or 0)
                if earlier != record.row:
                    reason = f"was used in row {earlier}; give each product its own"
                    yield Reject(record.row, record.key, "id", record.key[:120], reason)
                    continue
            yield record


def open_source(path: Path, settings: Settings, wanted: Mapping[str, str] | None = None) -> Source:
    """The source at `path`, with its columns mapped; `wanted` is what `--map` says.

    Raises:
        SourceError: the source as a whole cannot be read; says why.
    """
    if path.is_dir():
        table: Table = ImageFolder(path)
        if wanted:
            raise SourceError("--map is for tables; a folder of images has no columns")
        mapping = {column: [column] for column in table.columns}
        return Source(path, table, mapping, settings.max_cell_characters)
    table = open_table(path)
    mapping = apply_map(guess_mapping(table.columns), wanted or {}, table.columns)
    check_mapping(mapping, table.columns)
    return Source(path, table, mapping, settings.max_cell_characters)


def unread_tables(path: Path) -> list[Path]:
    """Tables that lie in a folder of images: who has one means it to be indexed, as a rule."""
    tables = _TABLES.keys() - {".txt"}
    try:
        return sorted(
            entry
            for entry in (path.iterdir() if path.is_dir() else ())
            if entry.suffix.lower() in tables and entry.is_file() and entry.name[0] != "."
        )
    except OSError:  # reading the photos says which folder it is
        return []


def open_table(path: Path) -> Table:
    """The rows of a CSV, TSV, JSONL or Parquet file; raises SourceError where there are none."""
    if path.is_dir():
        raise SourceError(f"{path} is a folder; give a table: one of {', '.join(sorted(_TABLES))}")
    if not path.is_file():
        raise SourceError(f"{path}: no such file or folder")
    kind = _TABLES.get(path.suffix.lower())
    if kind is None:
        known = ", ".join(sorted(_TABLES))
        hint = "save it as CSV, or " if path.suffix.lower() in _SPREADSHEETS else ""
        raise SourceError(f"{path}: unknown kind of source; {hint}give a folder or one of {known}")
    try:
        return kind(path)
    except (OSError, UnicodeError) as error:
        raise SourceError(f"{path} cannot be read ({error})") from None
