"""CSV, TSV, JSONL, Parquet or a folder of images -> `ProductRecord` or `Reject`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from retrieval.common.products import ProductRecord, Reject
from retrieval.errors import SourceError
from retrieval.settings import Settings
from retrieval.sources.columns import apply_map, check_mapping, guess_mapping, parse_map
from retrieval.sources.folder import ImageFolder
from retrieval.sources.records import EMPTY_ROW, RowReader
from retrieval.sources.tables import CsvTable, JsonlTable, ParquetTable

__all__ = [
    "EMPTY_ROW",
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
_SPREADSHEETS = {".xlsx", ".xls", ".xlsm", ".ods", ".numbers"}


class Table(Protocol):
    """Rows of cells, each with its number; what cannot be read is a Reject."""

    columns: list[str]

    def rows(self) -> Iterator[tuple[int, dict[str, Any]] | Reject]: ...


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
        base = (path if path.is_dir() else path.parent).resolve()
        self._reader = RowReader(mapping, base, limit)

    @property
    def taken(self) -> Mapping[str, int]:
        """Of a folder: its photos by suffix, once it was read."""
        return self._table.taken if isinstance(self._table, ImageFolder) else {}

    @property
    def passed_over(self) -> Mapping[str, int]:
        """Of a folder: pictures of kinds that are not read, by suffix, once it was read."""
        return self._table.passed_over if isinstance(self._table, ImageFolder) else {}

    def count(self) -> int:
        """The number of rows, good or not."""
        return sum(1 for _ in self._table.rows())

    def _read(self, row: int, cells: dict[str, Any]) -> ProductRecord | Reject:
        try:
            return self._reader.read(row, cells)
        except RecursionError:
            return Reject(row, None, "row", "", "the row is nested too deeply; flatten it")

    def __iter__(self) -> Iterator[ProductRecord | Reject]:
        """Each row as a record or a Reject; of rows with one id the first is taken."""
        first_row: dict[str, int] = {}
        for item in self._table.rows():
            record = item if isinstance(item, Reject) else self._read(*item)
            if isinstance(record, ProductRecord):
                earlier = first_row.setdefault(record.key, record.row or 0)
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
