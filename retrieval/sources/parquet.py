"""Parquet -> rows of cells; a cell that Python cannot hold costs itself alone."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from retrieval.common.products import Reject
from retrieval.errors import SourceError, one_line
from retrieval.sources.cells import Unreadable

PARQUET_BATCH = 1_024
# What reading a value raises: too far away, no text, a time zone that nobody knows (a KeyError).
_UNREADABLE = (ValueError, OverflowError, LookupError, pyarrow.ArrowException)


class ParquetTable:
    """A Parquet file. Rows count from 1."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = pyarrow.parquet.ParquetFile(path)
        except (pyarrow.ArrowException, OSError) as error:
            raise SourceError(
                f"{path} is not a readable Parquet file ({one_line(error)})"
            ) from None
        self.columns = list(self._file.schema_arrow.names)

    def rows(
        self, wanted: Collection[str] | None = None
    ) -> Iterator[tuple[int, dict[str, Any]] | Reject]:
        columns = None if wanted is None else list(wanted)
        number = 0
        for group in range(self._file.num_row_groups):
            first = number
            size = self._file.metadata.row_group(group).num_rows
            try:
                for batch in self._file.iter_batches(
                    PARQUET_BATCH, row_groups=[group], columns=columns
                ):
                    for row in _python_rows(batch):
                        number += 1
                        yield number, row
            except (pyarrow.ArrowException, OSError) as error:
                lost = first + size - number
                reason = f"{lost} rows from here on cannot be read ({one_line(error)})"
                yield Reject(number + 1, None, "row", "", reason)
            number = first + size


def _python_rows(batch: pyarrow.RecordBatch) -> list[dict[str, Any]]:
    """The rows of a batch, with an Unreadable where Python cannot hold a cell."""
    columns = [_python_column(column) for column in batch.columns]
    names = batch.schema.names
    return [dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _python_column(column: pyarrow.Array) -> list[Any]:
    held = _in_microseconds(column.type)
    if held != column.type:
        with contextlib.suppress(pyarrow.ArrowException):  # what is not held is left out below
            column = column.cast(held, safe=False)
    try:
        return list(column.to_pylist())
    except _UNREADABLE:
        if pyarrow.types.is_timestamp(column.type) and column.type.tz not in (None, "UTC"):
            # A zone that this machine does not know: the moment is the same in another.
            return _python_column(column.cast(pyarrow.timestamp(column.type.unit, "UTC")))
        return [_python_cell(column.slice(place, 1)) for place in range(len(column))]


def _python_cell(cell: pyarrow.Array) -> Any:
    try:
        return cell.to_pylist()[0]
    except UnicodeDecodeError:
        return Unreadable("is not valid UTF-8")
    except _UNREADABLE as error:
        reason = one_line(error, 200)
    try:
        # A day in the year 5881580 is no date of Python's, but a text like any other.
        return cell.cast(pyarrow.string()).to_pylist()[0]
    except _UNREADABLE:
        return Unreadable(f"cannot be read ({reason})")


def _in_microseconds(kind: pyarrow.DataType) -> pyarrow.DataType:
    """The type whose times have microseconds, as Python's do: pyarrow refuses nanoseconds."""
    types = pyarrow.types
    if types.is_timestamp(kind) and kind.unit == "ns":
        return pyarrow.timestamp("us", kind.tz)
    if types.is_duration(kind) and kind.unit == "ns":
        return pyarrow.duration("us")
    if types.is_time64(kind) and kind.unit == "ns":
        return pyarrow.time64("us")
    if types.is_dictionary(kind):
        return _in_microseconds(kind.value_type)
    if types.is_large_list(kind):
        return pyarrow.large_list(_field(kind.value_field))
    if types.is_fixed_size_list(kind):
        return pyarrow.list_(_field(kind.value_field), kind.list_size)
    if types.is_list(kind):
        return pyarrow.list_(_field(kind.value_field))
    if types.is_struct(kind):
        return pyarrow.struct([_field(kind.field(place)) for place in range(kind.num_fields)])
    if types.is_map(kind):
        return pyarrow.map_(_field(kind.key_field), _field(kind.item_field))
    return kind


def _field(field: pyarrow.Field) -> pyarrow.Field:
    return field.with_type(_in_microseconds(field.type))
