"""CSV, TSV and JSONL -> rows of cells; a broken row is a Reject, and the rest goes on."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

from retrieval.common.products import Reject
from retrieval.common.text import is_unicode
from retrieval.errors import SourceError, one_line
from retrieval.sources.columns import guess_mapping

Row = tuple[int, dict[str, Any]]

DELIMITERS = ",;\t|"
BLANK_LINES = ("\n", "\r\n", "\r")
MAX_LINE = 16_000_000
MAX_LINES_A_ROW = 1_000
# Lines that may be read again for quotes that are never closed; each row earns a few more. Else
# a file that opens one in every line would be read a thousand times.
READ_AGAIN, READ_AGAIN_A_ROW = 10_000, 20
_SEPARATOR_LINE = re.compile(r'"?sep=([^\w"\r\n])"?[^\w\r\n]{0,99}(?=[\r\n]|\Z)', re.IGNORECASE)
SAMPLE_BYTES = 65_536
SAMPLE_ROWS = 100
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

csv.field_size_limit(MAX_LINE)
# For UTF-16, as surrogateescape is for UTF-8: what cannot be decoded marks its row as unusable.
codecs.register_error("retrieval-mark", lambda error: ("\udc80", error.end))  # type: ignore[attr-defined]


class CsvTable:
    """A delimited file with a header row. Row 1 is the header, as spreadsheets count.

    Attributes:
        key_column: the column of the id, so that a row that cannot be used still says whose it is.
    """

    key_column: str | None = None

    def __init__(self, path: Path) -> None:
        self.path = path
        sample = _read_start(path, SAMPLE_BYTES)
        if not sample.strip():
            raise SourceError(f"{path} is empty; export it again")
        self.encoding = next((name for bom, name in _BOMS if sample.startswith(bom)), "utf-8")
        text = sample.decode(self.encoding, "replace")
        # `sep=;`, as Excel writes it to itself: no row, and no line of the spreadsheet either.
        said = _SEPARATOR_LINE.match(text)
        self._says_delimiter = said is not None
        if said:
            self.delimiter = said[1]
        else:
            self.delimiter = guess_delimiter(text, "\t" if path.suffix == ".tsv" else ",")
        header = next(self._records(), None)
        if header is None:
            raise SourceError(f"{path} is empty; export it again")
        self.columns = _unique(header[1])

    def rows(
        self,
        wanted: Collection[str] | None = None,  # noqa: ARG002 - a line is read whole
    ) -> Iterator[Row | Reject]:
        records = self._records()
        next(records)
        for number, cells in records:
            if isinstance(cells, Reject):
                start = next(csv.reader([cells.value], delimiter=self.delimiter), [])
                yield replace(cells, key=self._key(start[:-1]))
                continue
            spare = [cell for cell in cells[len(self.columns) :] if cell.strip()]
            if spare:
                yield Reject(
                    number,
                    self._key(cells),
                    "row",
                    spare[0][:120],
                    f"the row has {len(cells)} cells, the header {len(self.columns)}; "
                    "put cells that hold the delimiter in quotes",
                )
                continue
            cells += [""] * (len(self.columns) - len(cells))
            yield number, dict(zip(self.columns, cells, strict=False))

    def _key(self, cells: list[str]) -> str | None:
        place = self.columns.index(self.key_column) if self.key_column else len(cells)
        return (cells[place].strip() or None) if place < len(cells) else None

    def _records(self) -> Iterator[tuple[int, Any]]:
        errors = "retrieval-mark" if self.encoding == "utf-16" else "surrogateescape"
        with self.path.open(encoding=self.encoding, errors=errors, newline="") as handle:
            if self._says_delimiter:
                handle.readline(MAX_LINE)
            yield from _split_records(handle, self.delimiter)


def _split_records(handle: TextIO, delimiter: str) -> Iterator[tuple[int, list[str] | Reject]]:
    """(row number, cells) of each record; a quote that is never closed costs its own line only.

    Without care one missing quote swallows all that follows it into a single cell. Here a
    record that runs on too long, to the end of the file, or into a wrong number of cells over
    several lines is given up, and reading goes on at the line after the one where it began.
    """
    waiting: deque[str] = deque()
    number, width = 0, None
    credit = READ_AGAIN
    while True:
        most = min(MAX_LINES_A_ROW, max(READ_AGAIN_A_ROW, credit))
        taken: list[str] = []
        ended = False

        def feed() -> Iterator[str]:
            nonlocal ended
            while len(taken) < most:  # noqa: B023 - used within this turn
                line = waiting.popleft() if waiting else handle.readline(MAX_LINE)
                if not line:
                    ended = True
                    return
                taken.append(line)  # noqa: B023
                yield line

        number += 1
        first = waiting.popleft() if waiting else handle.readline(MAX_LINE)
        if first in BLANK_LINES:
            # A blank line is no row, but it is a line of the spreadsheet.
            continue
        waiting.appendleft(first)
        try:
            cells = next(csv.reader(feed(), delimiter=delimiter))
        except StopIteration:
            return
        except csv.Error:
            cells = []
        credit = min(READ_AGAIN, credit + READ_AGAIN_A_ROW)
        runaway = ended or len(taken) >= most
        torn = len(taken) > 1 and (
            _is_torn(taken, delimiter) or len(cells) != (width or len(cells))
        )
        if taken and (runaway or torn or not cells) and taken[0].strip():
            yield number, _unclosed(number, taken[0])
            waiting.extendleft(reversed(taken[1:]))
            credit -= len(taken)
            continue
        if not cells:
            continue
        width = width or len(cells)
        yield number, cells


def _is_torn(lines: list[str], delimiter: str) -> bool:
    """Whether a record of several lines ends at a quote that was meant to open another cell."""
    try:
        next(csv.reader(iter(lines), delimiter=delimiter, strict=True))
    except csv.Error:
        return True
    return False


def _unclosed(number: int, line: str) -> Reject:
    return Reject(number, None, "row", line.strip()[:120], "a quote is opened and never closed")


class JsonlTable:
    """A JSON object a line. Rows count from 1."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # All of it: a key that only later lines have is a column as well.
        columns: dict[str, None] = {}
        for row in self.rows():
            if not isinstance(row, Reject):
                columns.update(dict.fromkeys(row[1]))
        if not columns:
            raise SourceError(f"{path} holds no JSON object")
        self.columns = list(columns)

    def rows(
        self,
        wanted: Collection[str] | None = None,  # noqa: ARG002 - a line is read whole
    ) -> Iterator[Row | Reject]:
        with self.path.open("rb") as handle:
            number = 0
            while line := handle.readline(MAX_LINE):
                number += 1
                text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
                if text.strip():
                    yield _json_row(number, text)


def _json_row(number: int, line: bytes) -> Row | Reject:
    start = line[:100].decode("utf-8", "replace").strip()
    try:
        value = json.loads(line)
    except UnicodeDecodeError:
        return Reject(number, None, "row", "", "the line is not valid UTF-8")
    except (ValueError, RecursionError) as error:
        return Reject(number, None, "row", start, f"the line is not JSON ({one_line(error, 200)})")
    if not isinstance(value, dict):
        return Reject(number, None, "row", start, "the line is not a JSON object")
    return number, value


def guess_delimiter(sample: str, default: str) -> str:
    """The delimiter that makes the most of the header, and the most even rows."""

    def score(delimiter: str) -> tuple[int, float, int, bool]:
        lines = io.StringIO(sample, newline="")
        rows = [row for row in csv.reader(lines, delimiter=delimiter) if row][: SAMPLE_ROWS + 1]
        header, body = rows[0], rows[1:-1] or rows[1:]
        even = sum(len(row) == len(header) for row in body) / max(1, len(body))
        known = sum(len(columns) for columns in guess_mapping(header).values())
        return known, even, len(header), delimiter == default

    try:
        return max(DELIMITERS, key=score)
    except (csv.Error, IndexError):
        return default


def _unique(header: Any) -> list[str]:
    if isinstance(header, Reject):
        raise SourceError(f"the header cannot be read: {header.reason}")
    names: dict[str, None] = {}
    counts: dict[str, int] = {}
    for position, cell in enumerate(header, start=1):
        name = cell.strip() or f"column_{position}"
        if not is_unicode(name):
            raise SourceError("the header is not valid UTF-8; save the file as UTF-8")
        unique = name
        while unique in names:
            counts[name] = counts.get(name, 1) + 1
            unique = f"{name}_{counts[name]}"
        names[unique] = None
    return list(names)


def _read_start(path: Path, size: int) -> bytes:
    with path.open("rb") as handle:
        data = handle.read(size)
    # A UTF-16 sample must not end within a character.
    return data[: len(data) - len(data) % 2] if data[:2] in (b"\xff\xfe", b"\xfe\xff") else data
