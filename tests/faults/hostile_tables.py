"""Tables with something wrong in them: each with the rows that must survive and must not."""

from __future__ import annotations

import json
from collections.abc import Callable, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

Maker = Callable[[Path], object]


@dataclass(frozen=True)
class Bad:
    """A reject that must be reported: `reason` is a pattern."""

    row: int
    field: str
    reason: str


@dataclass(frozen=True)
class TableCase:
    """A table to make.

    Attributes:
        good: ids that must be in the index, and no others but those of rows in `either`.
        bad: all that must be rejected.
        either: rows that may be kept or rejected, as long as no other suffers.
        unusable: a pattern of why the file as a whole is refused; empty where it is not.
        said: id -> field -> what must stand there.
    """

    name: str
    make: Maker
    good: tuple[str, ...] = ()
    bad: tuple[Bad, ...] = ()
    either: Set[int] = frozenset()
    unusable: str = ""
    said: dict[str, dict[str, Any]] | None = None


def make_photo(folder: Path) -> None:
    """The photo `mug.png` that rows speak of."""
    Image.new("RGB", (40, 30), (200, 60, 30)).save(folder / "mug.png")


def _bad(field: str, reason: str, *rows: int) -> tuple[Bad, ...]:
    return tuple(Bad(row, field, reason) for row in rows)


def _bytes(data: bytes | str, encoding: str = "utf-8") -> Maker:
    whole = data.encode(encoding) if isinstance(data, str) else data
    return lambda path: path.write_bytes(whole)


def _lines(*lines: str, end: str = "\n") -> Maker:
    return _bytes("".join(line + end for line in lines))


def _json_lines(*lines: Any) -> Maker:
    return _lines(*(line if isinstance(line, str) else json.dumps(line) for line in lines))


def _parquet(**columns: Any) -> Maker:
    return lambda path: pq.write_table(pa.table(columns), path)


def _cut_parquet(path: Path) -> None:
    pq.write_table(pa.table({"id": ["1"], "title": ["Mug"]}), path)
    path.write_bytes(path.read_bytes()[:-20])


def _quotes() -> list[TableCase]:
    unclosed = "quote"
    return [
        TableCase(
            "quoted_newlines.csv",
            _lines("id,title", '1,"two\nlines"', '2,"a ""b"", c"', '3,"\r\n\n"'),
            ("1", "2"),
            (Bad(4, "row", "no title"),),
            said={"2": {"title": 'a "b", c'}},
        ),
        TableCase(
            "unclosed_in_the_middle.csv",
            _lines("id,title,brand", "1,Mug,A", '2,"Cup,B', "3,Pot,C", '4,"Jug, big",D'),
            ("1", "3", "4"),
            (Bad(3, "row", unclosed),),
        ),
        TableCase(
            "unclosed_at_the_end.csv",
            _bytes('id,title\n1,Mug\n2,"Cup\n3,"Pot'),
            ("1",),
            (Bad(3, "row", unclosed), Bad(4, "row", unclosed)),
        ),
        TableCase(
            "inches.csv",
            _lines("id,title", '1,5" pipe', '2,24" x 36" frame', "3,Mug"),
            ("1", "2", "3"),
            said={"1": {"title": '5" pipe'}},
        ),
        TableCase(
            "ragged.csv",
            _lines("id,title,brand", "1,Mug, red,A", "2,Cup", "3,Pot,C,,", "4"),
            ("2", "3"),
            (Bad(2, "row", "4 cells, the header 3"), Bad(5, "row", "no title")),
        ),
    ]


def _bytes_and_encodings() -> list[TableCase]:
    rows = "id,title\r\n1,Tasse für Tee\r\n2,Кружка\r\n"
    half = "id,title\n1,Mug\n2,Cup\n3,Pot".encode("utf-16") + b"\x00"
    lone = "id,title\n1,Mug\n2,".encode("utf-16") + b"\x00\xd8" + "\n3,Cup\n".encode("utf-16-le")
    return [
        TableCase(
            "marked_semicolons.csv",
            _bytes("\ufeffid;title;price\n1;Tasse, blau;9,50\n2;Teller;3\n"),
            ("1", "2"),
            said={"1": {"title": "Tasse, blau", "price": 9.5}},
        ),
        TableCase("utf16.csv", _bytes(rows, "utf-16"), ("1", "2"), said={"2": {"title": "Кружка"}}),
        TableCase("utf16_big.csv", _bytes("\ufeff" + rows, "utf-16-be"), ("1", "2")),
        TableCase("utf16_cut.csv", _bytes(half), ("1", "2"), either={4}),
        TableCase("utf16_lone.csv", _bytes(lone), ("1", "3"), either={3}),
        TableCase("utf16_unmarked.csv", _bytes(rows, "utf-16-le"), unusable="no column looks like"),
        TableCase(
            "nul.csv",
            _lines("id,title,brand", "1,M\0ug,A", "2,Cup,B", "\0,Pot,\0"),
            ("2",),
            (Bad(2, "title", "NUL"), Bad(4, "id", "NUL")),
        ),
        TableCase(
            "one_row_no_utf8.csv",
            _bytes(b"id,title\n1,Mug\n2,caf\xe9\n3,\xf0\x9f\x98\x80 Cup\n4,\xed\xa0\x80\n"),
            ("1", "3"),
            (Bad(3, "title", "UTF-8"), Bad(5, "title", "UTF-8")),
        ),
        TableCase(
            "latin1.csv",
            _bytes("id,title\n1,Größe\n2,Mug\n3,Tasse für Tee\n", "latin-1"),
            ("2",),
            _bad("title", "UTF-8", 2, 4),
        ),
        TableCase("cr_only.csv", _lines("id,title", "1,Mug", "2,Cup", end="\r"), ("1", "2")),
        TableCase("mixed_ends.csv", _bytes("id,title\r\n1,Mug\n2,Cup\r3,Pot"), ("1", "2", "3")),
        TableCase("commas.tsv", _lines("id\ttitle", "1\tMug, red, big", "2\tCup"), ("1", "2")),
        TableCase(
            "any_script.csv",
            _lines("id,title", "שלום,ספל", "😀👩‍👩‍👧,Smile", "\u202etfel,Mug", "ﷺ,Cup"),
            ("שלום", "😀👩‍👩‍👧", "\u202etfel", "ﷺ"),
        ),
    ]


def _rows() -> list[TableCase]:
    hashed = "0123456789abcdef0123.png"
    return [
        TableCase(
            "twice.csv",
            _lines("id,title", "1,Mug", "1,Mug again", "2,Cup", " 1 ,Pot"),
            ("1", "2"),
            (Bad(3, "id", "row 2"), Bad(5, "id", "row 2")),
            said={"1": {"title": "Mug"}},
        ),
        TableCase(
            "empty_rows.csv",
            _lines("id,title", ",", "1,Mug", "", "  ,  ", "2,", "3,Cup", "", ""),
            ("1", "3"),
            (Bad(2, "row", "empty"), Bad(5, "row", "no title"), Bad(6, "row", "no title")),
        ),
        TableCase(
            "photos.csv",
            _lines(
                "id,title,image",
                "1,Mug,mug.png",
                "2,Cup,gone.png",
                f"3,,{hashed}",
                "4,Pot,https://shop.example/pot.jpg",
                "5,Jug,data:image/png;base64",
                "6,Jar,/no/such/jar.jpg",
                "7,Box,/etc/passwd",
                "8,Bag,../../../../../../../../etc/passwd",
                "9,Bowl,../none.png",
                f"10,Lid,{'x' * 5_000}.png",
                f"11,Pan,{'../' * 1_500}x.png",
                "12,Tin,.",
                "13,Vase,mug.png|gone.png|mug.png",
                "14,Lamp,m\0ug.png",
                "15,Rug,C:\\photos\\rug.jpg",
                "16,Bed,photos.csv",
            ),
            tuple("1 2 4 5 6 7 8 9 10 11 12 13 15 16".split()),
            (
                *_bad("image", "no such file", 3, 4, 7, 10, 14, 16),
                *_bad("image", "web address", 5, 6),
                *_bad("image", "not an image", 8, 9, 17),
                *_bad("image", "cannot be read", 11, 12),
                *_bad("image", "regular file", 13),
                *_bad("image", "NUL", 15),
            ),
        ),
        TableCase(
            "brackets_for_a_photo.csv",
            _lines(
                "id,title,image", f"1,Mug,{'[' * 99_000}{']' * 99_000}", "2,Cup,[]", "3,Pot,[[]]"
            ),
            ("1", "2", "3"),
            either={2},
        ),
        TableCase(
            "prices.csv",
            _lines(
                "id,title,price",
                *(f"{n},Mug,{said}" for n, said in enumerate("abc -5 nan inf 1e400 -0.01".split())),
                '6,Cup,"1,299.00"',
                "7,Pot,",
                "8,Jug,0",
            ),
            tuple("012345678"),
            _bad("price", "not a price", *range(2, 8)),
            said={"0": {"price": None}, "4": {"price": None}, "6": {"price": 1299.0}},
        ),
        TableCase(
            "huge_cell.csv",
            _lines("id,title,description", f"1,Mug,{'x ' * 1_000_000}", "2,Cup,fine"),
            ("2",),
            (Bad(2, "description", "2,000,000 characters"),),
        ),
        TableCase(
            "long_id.csv",
            _lines("id,title", f"{'x' * 100_000},Mug", "2,Cup"),
            ("2",),
            (Bad(2, "id", "longer than"),),
        ),
        TableCase(
            "formulas.csv",
            _lines("id,title", "1,=cmd|' /C calc'!A0", "2,+1+1", "3,@SUM(A1)", "=4,-Mug"),
            ("1", "2", "3", "=4"),
            said={"1": {"title": "=cmd|' /C calc'!A0"}},
        ),
        TableCase(
            "scripts.csv",
            _lines(
                "id,title,description",
                "1,<script>alert(1)</script>Mug,<p>Fits <b>all</b></p>",
                "2,<br>,",
                "3,<script>alert(1)</script>,<style>p{}</style>",
                "4,Cup,<b>x</b> <![if gte mso 9]> y <![endif]>",
                "5,Pot,<b>x</b> <![foo[ x ]]> y",
                "6,Jug,<b>x</b> <![>",
                "7,<b>Lid</b> <!doctype [<!x,",
            ),
            ("1", "4", "5", "6", "7"),
            (Bad(3, "row", "no title"), Bad(4, "row", "no title")),
            said={"1": {"title": "Mug", "description": "Fits all"}},
        ),
    ]


def _headers() -> list[TableCase]:
    wide = [f"column {n}" for n in range(2_000)]
    return [
        TableCase("empty.csv", _bytes(b""), unusable="empty"),
        TableCase("blank.csv", _bytes(" \n\t\n\r\n  "), unusable="empty"),
        TableCase("mark_only.csv", _bytes(b"\xef\xbb\xbf"), unusable="."),
        TableCase("mark_only_utf16.csv", _bytes(b"\xff\xfe"), unusable="."),
        TableCase("header_only.csv", _lines("id,title,image"), unusable="no usable row"),
        TableCase("all_bad.csv", _lines("id,title", "1,", "2,"), unusable="no usable row"),
        TableCase("garbage.csv", _bytes(bytes(range(256)) * 40), unusable="."),
        TableCase("pdf.csv", _bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n"), unusable="--map"),
        TableCase("nothing_known.csv", _lines("foo,bar", "1,2"), unusable="--map"),
        TableCase("odd_names.csv", _lines('"a\nb",\x1b[31mc', "1,2"), unusable="--map"),
        TableCase("open_quote.csv", _lines('"id,title', "1,Mug"), unusable="quote"),
        TableCase(
            "same_names.csv",
            _lines("id,title,title,image,image,", "1,Mug,Cup,mug.png,mug.png,x", "2,Pot,,,,"),
            ("1", "2"),
            said={"1": {"title": "Mug"}},
        ),
        TableCase(
            "wide.csv",
            _lines(",".join(["id", "title", *wide]), "1,Mug" + ",x" * 2_000, "2,Cup", "3" + ",,"),
            ("1", "2"),
            (Bad(4, "row", "no title"),),
        ),
    ]


def _objects() -> list[TableCase]:
    deep = '{"id": "2", "title": "Cup", "note": ' + '{"a": ' * 600 + "1" + "}" * 601
    lists = '{"id": "3", "title": "Pot", "note": ' + "[" * 400 + "1" + "]" * 400 + "}"
    return [
        TableCase(
            "lines.jsonl",
            _json_lines(
                {"id": "1", "title": "Mug"},
                '{"id": "2", "title": "Cup"',
                '[{"id": "3", "title": "Pot"}]',
                "[" * 100_000,
                "",
                '{"id": "4", "title": "\\ud800"}',
                '"\\ud800"',
                "null",
                "12",
                '{"id": "5", "title": "J\\u0000ug"}',
                '{"id": "6", "title": "Jar", "title": "Bowl"}',
                '{"id": 7, "title": "\\ud83d\\ude00"}',
                '{"id": "8", "title": "Box"} trailing',
                {},
            ),
            ("1", "6", "7"),
            (
                *_bad("row", "not JSON", 2, 4, 13),
                *_bad("row", "not a JSON object", 3, 7, 8, 9),
                *_bad("row", "empty", 14),
                Bad(6, "title", "UTF-8"),
                Bad(10, "title", "NUL"),
            ),
            said={"6": {"title": "Bowl"}, "7": {"title": "😀"}},
        ),
        TableCase(
            "numbers.jsonl",
            _json_lines(
                '{"id": "1", "title": "Mug", "price": NaN, "width": NaN}',
                '{"id": "2", "title": "Cup", "price": Infinity}',
                '{"id": "3", "title": "Pot", "width": 1e999}',
                '{"id": "4", "title": "Jug", "width": ' + "9" * 400 + "}",
                '{"id": "5", "title": "Jar", "width": ' + "9" * 5_000 + "}",
                '{"id": "6", "title": "Box", "price": [1], "tags": [null, {"a": -Infinity}]}',
            ),
            ("1", "2", "3", "4"),
            (Bad(2, "price", "not a price"), Bad(5, "row", "not JSON")),
            either={6},
            said={"1": {"price": None}, "2": {"price": None}},
        ),
        TableCase(
            "deep.jsonl",
            _json_lines({"id": "1", "title": "Mug"}, deep, lists, {"id": "4", "title": "Jug"}),
            ("1", "4"),
            either={2, 3},
        ),
        TableCase(
            "no_utf8.jsonl",
            _bytes(b'{"id": "1", "title": "Mug"}\n{"id": "2", "title": "\xff"}\n\xef\xbb\xbf{}\n'),
            ("1",),
            (Bad(2, "row", "UTF-8"), Bad(3, "row", ".")),
        ),
        TableCase("lists.jsonl", _json_lines("[1]", "[2]"), unusable="no JSON object"),
        TableCase("utf16.jsonl", _bytes('{"title": "Mug"}\n', "utf-16"), unusable="no JSON object"),
        TableCase("empty.jsonl", _bytes(b""), unusable="."),
    ]


def _parquets() -> list[TableCase]:
    ids, titles = ["1", "2", "3"], ["Mug", "Cup", "Pot"]
    moments = pa.array([1, 1_700_000_000_000_000_001, None], pa.int64()).cast(pa.timestamp("ns"))
    far = pa.array([1, 2**31 - 1, 2], pa.date32())
    stored = pa.array([b"Mug", b"caf\xe9", b"Cup"])
    broken = pa.Array.from_buffers(pa.string(), len(stored), stored.buffers())
    binary = [b"\x89PNG\xff\0", None, b"text"]
    return [
        TableCase(
            "nested.parquet",
            _parquet(
                id=["1", None, "3", "4"],
                title=["Mug", "Cup", None, None],
                image=[["mug.png"], None, ["gone.png", None], []],
                size=[{"h": 1.5, "of": {"w": 2}}, None, {"h": None, "of": None}, None],
                tags=[["a", None], [], None, [None]],
            ),
            ("1", "3"),
            (Bad(3, "image", "no such file"), Bad(4, "row", "no title")),
            either={2},
        ),
        TableCase("cut.parquet", _cut_parquet, unusable="Parquet"),
        TableCase("text.parquet", _lines("id,title", "1,Mug"), unusable="Parquet"),
        TableCase("empty.parquet", _bytes(b""), unusable="Parquet"),
        TableCase("no_rows.parquet", _parquet(id=pa.nulls(0), title=pa.nulls(0)), unusable="row"),
        TableCase("moments.parquet", _parquet(id=ids, title=titles, seen=moments), tuple("123")),
        TableCase("far.parquet", _parquet(id=ids, title=titles, seen=far), tuple("13"), (), {2}),
        TableCase("binary.parquet", _parquet(id=ids, title=titles, x=binary), tuple("23"), (), {1}),
        TableCase(
            "no_utf8.parquet", _parquet(id=ids, title=broken), ("1", "3"), _bad("title", "UTF-8", 2)
        ),
    ]


def all_tables() -> list[TableCase]:
    """Every case."""
    made = _quotes() + _bytes_and_encodings() + _rows()
    return made + _headers() + _objects() + _parquets()
