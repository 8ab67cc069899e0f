"""What a cell holds costs itself alone: the product stays, and what is lost is told."""

from __future__ import annotations

import datetime
import json
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.settings import Settings
from retrieval.sources import ProductRecord, Reject, open_source
from retrieval.sources.cells import PHOTO_AS_BYTES, plain_text, read_photos, split_images

IDS = ["1", "2", "3"]


def read(path: Path) -> tuple[list[ProductRecord], list[Reject]]:
    items = list(open_source(path, Settings()))
    records = [item for item in items if isinstance(item, ProductRecord)]
    rejects = [item for item in items if isinstance(item, Reject)]
    return records, rejects + [reject for record in records for reject in record.rejects]


def parquet(path: Path, **columns: Any) -> Path:
    table = pa.table({"id": IDS, "title": ["Mug", "Cup", "Pot"], **columns})
    pyarrow.parquet.write_table(table, path)
    return path


MOMENTS = pa.array([1, 1_700_000_000_000_000_001, None], pa.int64())
NS = pa.timestamp("ns", "UTC")


@pytest.mark.parametrize(
    "column",
    [
        MOMENTS.cast(NS),
        MOMENTS.cast(pa.timestamp("ns")),
        MOMENTS.cast(pa.duration("ns")),
        pa.array([1, 86_399_999_999_999, None], pa.int64()).cast(pa.time64("ns")),
        pa.array([[1], [1_700_000_000_000_000_001], None], pa.list_(NS)),
        pa.array([{"at": 1}, {"at": 1_700_000_000_000_000_001}, None], pa.struct([("at", NS)])),
        pa.array([1, 2**31 - 1, None], pa.date32()),
        pa.array([1, 2**53, None], pa.timestamp("ms")),
        pa.array([1, 2, 3], pa.timestamp("us", "Nowhere/Unknown")),
        pa.array([b"\x89PNG\xff\0", b"text", None]),
        pa.array([b"\xff" * 100_000, b"\0", b"\xfe"]),
        pa.array([uuid.UUID(int=n).bytes for n in (1, 2, 2**127)], pa.binary(16)),
        pa.array([Decimal("1.50"), None, Decimal("2.25")]),
        pa.array(["a", "b", "a"]).dictionary_encode(),
        pa.array([[("k", b"\xff")], [], None], pa.map_(pa.string(), pa.binary())),
    ],
    ids=lambda column: str(column.type),
)
def test_a_column_of_any_type_costs_no_product(tmp_path: Path, column: pa.Array) -> None:
    records, rejects = read(parquet(tmp_path / "a.parquet", seen=column))
    assert [record.key for record in records] == IDS
    assert {reject.field for reject in rejects} <= {"seen"}
    assert len(rejects) <= 1, "a column of bytes is told once"
    json.dumps([record.attributes for record in records])


def test_times_and_bytes_are_written_as_people_read_them(tmp_path: Path) -> None:
    moments = MOMENTS.cast(NS)
    records, _ = read(
        parquet(tmp_path / "a.parquet", seen=moments, code=[b"caf\xc3\xa9", b"\xff", None])
    )
    assert records[0].attributes == {"seen": "1970-01-01 00:00:00+00:00", "code": "caf\u00e9"}
    assert records[1].attributes["code"] == "ff"
    assert records[2].attributes == {}


def test_an_id_that_cannot_be_read_costs_its_row(tmp_path: Path) -> None:
    """Under an id made up for it the product would be another the next time."""
    table = pa.table({"id": [b"\xff" * 99, b"2"], "title": ["Mug", "Cup"]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    records, rejects = read(tmp_path / "a.parquet")
    assert [record.key for record in records] == ["2"]
    assert [(reject.row, reject.field) for reject in rejects] == [(1, "id")]


@pytest.mark.parametrize(
    ("value", "key"),
    [(1001.0, "1001"), (1e15, "1000000000000000"), (-5.0, "-5"), (1.5, "1.5"), (7, "7"),
     ("1001.0", "1001.0"), ("007", "007"), (0.0, "0")],
)  # fmt: skip
def test_a_whole_number_is_the_id_that_a_csv_has(tmp_path: Path, value: Any, key: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"id": value, "title": "Mug"}) + "\n")
    records, _ = read(path)
    assert [record.key for record in records] == [key]


def test_ids_as_floats_are_those_of_the_table(tmp_path: Path) -> None:
    table = pa.table({"id": [1001.0, 1002.0, None], "title": ["Mug", "Cup", "Pot"]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    (tmp_path / "a.csv").write_text("id,title\n1001,Mug\n1002,Cup\n")
    floats, _ = read(tmp_path / "a.parquet")
    texts, _ = read(tmp_path / "a.csv")
    assert [record.key for record in floats[:2]] == [record.key for record in texts]


@pytest.mark.parametrize(
    ("cell", "paths", "reasons"),
    [
        ([{"src": "a.jpg", "position": 1}, {"SRC": "b.jpg"}], ["a.jpg", "b.jpg"], []),
        ([{"path": "a.jpg"}, {"file": "b.jpg"}], ["a.jpg", "b.jpg"], []),
        ([{"path": None, "url": "a.jpg"}, None, "", {}], ["a.jpg"], []),
        ({"image": {"file_name": "a.jpg"}}, ["a.jpg"], []),
        ('[{"src": "a.jpg"}, "b.jpg"]', ["a.jpg", "b.jpg"], []),
        ('{"src": "a.jpg"}', ["a.jpg"], []),
        ({"bytes": b"\x89PNG\0", "path": None}, [], ["photo itself"]),
        ({"bytes": b"\x89PNG\0", "path": "a.png"}, ["a.png"], []),
        (b"\xff\xd8\xff\0", [], ["photo itself"]),
        ([{"alt": "a mug"}, "b.jpg"], ["b.jpg"], ["names no photo"]),
        ([{"id": 7, "width": 3}], [], ["names no photo"]),
        (b"a.jpg", ["a.jpg"], []),
    ],
)
def test_each_photo_of_a_cell_is_taken_or_told(
    cell: Any, paths: list[str], reasons: list[str]
) -> None:
    found, problems = read_photos(cell)
    assert found == paths == split_images(cell)
    assert len(problems) == len(reasons)
    assert all(part in reason for part, (_, reason) in zip(reasons, problems, strict=True))


def test_photos_as_bytes_are_told_and_cost_no_row(tmp_path: Path) -> None:
    photos = [{"bytes": b"\x89PNG" + b"\xff" * 600_000, "path": None}, None, None]
    records, rejects = read(parquet(tmp_path / "a.parquet", image=photos))
    assert [record.key for record in records] == IDS
    assert [(reject.row, reject.key, reject.field, reject.reason) for reject in rejects] == [
        (1, "1", "image", PHOTO_AS_BYTES)
    ]


@pytest.mark.parametrize(
    ("cell", "text"),
    [  # as exports of shops hold them, and what only looks like one
        ("H&amp;M", "H&M"), ("Caf&eacute;", "Caf\u00e9"), ("red&nbsp;&amp; tan", "red & tan"),
        ("5&#8221; &#x26; 3", "5\u201d & 3"), ("H&amp;amp;M", "H&M"), ("AT&T", "AT&T"),
        ("a & b;", "a & b;"),
        ("?a=1&copy=2", "?a=1&copy=2"), ("a < b", "a < b"), ("&nosuch;", "&nosuch;"),
    ],
)  # fmt: skip
def test_entities_are_read_in_every_text(tmp_path: Path, cell: str, text: str) -> None:
    path = tmp_path / "a.jsonl"
    row = dict.fromkeys(("title", "description", "brand", "category", "color"), cell)
    path.write_text(json.dumps({"id": cell, **row}) + "\n")
    [record], _ = read(path)
    assert (record.title, record.description, record.brand, record.category) == (text,) * 4
    assert record.attributes == {"color": text}
    assert record.key == cell, "an id is no text: it is what the other systems call it"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("&lt;p&gt;Fits &lt;b&gt;all&lt;/b&gt;&lt;/p&gt;", "Fits all"),
        ("<a title=\"x > y\" href='z'>Mug</a>", "Mug"),
        ("<!-- <b>no</b> --><b>Mug</b>", "Mug"),
        ("<STYLE>p > b {}</STYLE><br/>Mug<script>if (a<b) {}</script>", "Mug"),
        ("<b>Mug</b> 3 < 4 & 5 > 2", "Mug 3 < 4 & 5 > 2"),
        ("<b>it's</b> 'red'", "it's 'red'"),
        ("<script>never closed", ""),
    ],
)
def test_markup_is_no_text(html: str, text: str) -> None:
    assert plain_text(html) == text


@given(
    st.lists(st.sampled_from(["mug ", "red ", "12 ", "\u00e9 "]), min_size=1, max_size=9), st.data()
)
def test_words_between_tags_all_stay(words: list[str], data: st.DataObject) -> None:
    tags = st.sampled_from(
        ["<b>", "</b>", "<p class='a'>", '<a href="x>y">', "<!-- no -->", "<br/>"]
    )
    html = "".join(data.draw(tags) + word for word in words)
    assert plain_text(html).split() == "".join(words).split()


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\nid;title;price\n1;Mug, red;12,50\n",
        "\ufeffsep=;\r\nid;title;price\r\n1;Mug, red;12,50\r\n",
        '"sep=|"\nid|title|price\n1|Mug, red|12,50\n',
        "SEP=\t\nid\ttitle\tprice\n1\tMug, red\t12,50\n",
        "sep=^;;\nid^title^price\n1^Mug, red^12,50\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_line_that_names_the_delimiter_is_no_row(
    tmp_path: Path, text: str, encoding: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text.removeprefix("\ufeff" if encoding == "utf-16" else "").encode(encoding))
    [record], rejects = read(path)
    assert (record.key, record.title, record.price) == ("1", "Mug, red", 12.5)
    assert record.row == 2 and rejects == []


def test_numbers_need_no_sign_to_be_prices(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    prices = [1.299, 12, "24,90", 10**400, float("inf"), -1, True, datetime.date.max.isoformat()]
    path.write_text(
        "".join(
            f"{json.dumps({'title': 'Mug', 'id': n, 'price': p})}\n" for n, p in enumerate(prices)
        )
    )
    records, _ = read(path)
    assert [record.price for record in records] == [1.299, 12.0, 24.9, *[None] * 5]
    assert [len(record.rejects) for record in records] == [0, 0, 0, *[1] * 5]
