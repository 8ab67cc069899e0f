"""Whatever a shop exports is read: each good row once, each bad one told with its row."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval.errors import SourceError
from retrieval.settings import Settings
from retrieval.sources import ProductRecord, Reject, open_source, parse_map
from retrieval.sources.columns import guess_mapping
from retrieval.sources.records import parse_price, plain_text, split_images, title_from_path
from retrieval.sources.tables import guess_delimiter
from tests.support.shop import draw_product


def read(path: Path, **wanted: str) -> tuple[list[ProductRecord], list[Reject]]:
    records: list[ProductRecord] = []
    rejects: list[Reject] = []
    for item in open_source(path, Settings(), wanted or None):
        if isinstance(item, Reject):
            rejects.append(item)
        else:
            records.append(item)
            rejects.extend(item.rejects)
    return records, rejects


def written(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (
            "id title description image category brand price",
            "id title description image category brand price",
        ),
        ("SKU,Product Name,Body (HTML),Image Src,Vendor,Type,Variant Price", None),
        ("uniq_id product_name description image product_category_tree brand retail_price", None),
    ],
)
def test_usual_column_names_are_understood(columns: str, expected: str | None) -> None:
    names = columns.split(",") if "," in columns else columns.split()
    mapping = guess_mapping(names)
    assert set(mapping) == {"id", "title", "description", "image", "category", "brand", "price"}
    if expected:
        assert {field: found[0] for field, found in mapping.items()} == dict(
            zip(expected.split(), names, strict=True)
        )


def test_the_best_of_several_names_wins_and_the_rest_stay_attributes() -> None:
    mapping = guess_mapping(["name", "title", "sku", "id", "productDisplayName"])
    assert mapping == {"id": ["id"], "title": ["title"]}


def test_numbered_photo_columns_belong_together(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "id,title,image,image_2,Image 3\n1,Mug,a.jpg,,c.jpg|d.jpg\n")
    records, _ = read(path)
    assert records[0].images == ("a.jpg", "c.jpg", "d.jpg")


def test_map_overrides_the_guess(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "id,title,headline,pic\n1,internal,Red mug,a.jpg\n")
    records, _ = read(path, title="headline", image="pic")
    assert records[0].title == "Red mug"
    assert records[0].images == ("a.jpg",)
    assert records[0].attributes == {"title": "internal"}


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"titel": "title"}, "no field 'titel'"),
        ({"title": "nope"}, "no column 'nope'"),
    ],
)
def test_a_wrong_map_is_told(tmp_path: Path, wanted: dict[str, str], message: str) -> None:
    path = written(tmp_path / "a.csv", "id,title\n1,Mug\n")
    with pytest.raises(SourceError, match=message):
        open_source(path, Settings(), wanted)


def test_map_is_written_as_field_equals_column() -> None:
    assert parse_map("title=name, image=photo") == {"title": "name", "image": "photo"}
    assert parse_map(None) == {}
    with pytest.raises(SourceError, match="FIELD=COLUMN"):
        parse_map("title")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_any_delimiter_and_byte_order_mark(tmp_path: Path, delimiter: str, encoding: str) -> None:
    rows = [["sku", "name", "price"], ["A", "Tasse, blau; groß", "9,50 €"], ["B", 'a "b"', "3"]]
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows(rows)
    records, rejects = read(written(tmp_path / "a.csv", buffer.getvalue(), encoding))
    assert rejects == []
    assert [(r.key, r.title, r.price) for r in records] == [
        ("A", "Tasse, blau; groß", 9.5),
        ("B", 'a "b"', 3.0),
    ]


def test_quoted_newlines_stay_in_their_cell(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", 'id,title,description\n1,Mug,"two\nlines, here"\n2,Cup,x\n')
    records, rejects = read(path)
    assert rejects == []
    assert records[0].description == "two\nlines, here"
    assert [(record.key, record.row) for record in records] == [("1", 2), ("2", 3)]


@pytest.mark.parametrize("place", [1, 5, 9])
def test_a_quote_never_closed_costs_its_own_row_only(tmp_path: Path, place: int) -> None:
    lines = [f"{n},Mug {n},{n}.jpg" for n in range(10)]
    lines[place] = f'{place},"Mug {place},{place}.jpg'
    path = written(tmp_path / "a.csv", "id,title,image\n" + "\n".join(lines) + "\n")
    records, rejects = read(path)
    assert [record.key for record in records] == [str(n) for n in range(10) if n != place]
    assert [(reject.row, reject.field) for reject in rejects] == [(place + 2, "row")]
    assert "quote" in rejects[0].reason


def test_two_broken_quotes_do_not_pair_up_over_good_rows(tmp_path: Path) -> None:
    text = 'id,title,image\n1,"Mug,1.jpg\n2,Cup,2.jpg\n3,"Jug,3.jpg\n4,Pot,4.jpg\n'
    records, rejects = read(written(tmp_path / "a.csv", text))
    assert [record.key for record in records] == ["2", "4"]
    assert [reject.row for reject in rejects] == [2, 4]


def test_a_row_with_a_cell_too_many_is_rejected_a_short_one_is_padded(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "id,title,brand\n1,Mug, big,Acme\n2,Cup\n3,Pot,Acme,,\n")
    records, rejects = read(path)
    assert [(record.key, record.brand) for record in records] == [("2", None), ("3", "Acme")]
    assert rejects[0].row == 2 and "4 cells" in rejects[0].reason


def test_rejects_of_single_rows(tmp_path: Path) -> None:
    text = (
        "id,title,price,image\n"
        "1,Mug,abc,\n"
        "1,Mug again,1,\n"
        ",,,\n"
        "2,,,\n"
        "3,Cup,-4,http://shop.example/cup.jpg\n"
        "4,Pot,nan,\n"
        "5,Jug\0,1,\n"
        "6,Bowl,12,\n"
    )
    records, rejects = read(written(tmp_path / "a.csv", text))
    assert [(record.key, record.price) for record in records] == [
        ("1", None),
        ("3", None),
        ("4", None),
        ("6", 12.0),
    ]
    assert [(reject.row, reject.field) for reject in rejects] == [
        (2, "price"),
        (3, "id"),
        (4, "row"),
        (5, "row"),
        (6, "image"),
        (6, "price"),
        (7, "price"),
        (8, "title"),
    ]
    assert "row 2" in rejects[1].reason


def test_bytes_that_are_no_utf8_cost_their_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"id,title\n1,caf\xe9\n2,Mug\n")
    records, rejects = read(path)
    assert [record.key for record in records] == ["2"]
    assert rejects[0].row == 2 and "UTF-8" in rejects[0].reason
    json.dumps(rejects[0].as_dict(), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "empty"),
        ("a.csv", b"  \n \n", "empty"),
        ("a.csv", b"foo,bar\n1,2\n", "--map"),
        ("a.csv", bytes(range(256)) * 20, "."),
        ("a.jsonl", b"[1]\n", "no JSON object"),
        ("a.parquet", b"PAR1 is not enough", "Parquet"),
        ("a.xlsx", b"PK", "save it as CSV"),
        ("a.docx", b"PK", "unknown kind"),
        ("missing.csv", None, "no such file"),
    ],
)
def test_a_source_that_cannot_be_read_is_told_in_one_line(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=message) as caught:
        list(open_source(path, Settings()))
    assert "\n" not in str(caught.value)


def test_json_lines(tmp_path: Path) -> None:
    lines = [
        json.dumps({"id": 7, "name": "Mug", "images": ["a.jpg", "b.jpg"], "size": {"h": 9}}),
        "{broken",
        "[1, 2]",
        "",
        json.dumps({"id": "8", "name": "Cup", "tags": ["x", "y"], "new": True, "price": 4.5}),
        "[" * 100_000,
    ]
    records, rejects = read(written(tmp_path / "a.jsonl", "\n".join(lines)))
    assert [record.key for record in records] == ["7", "8"]
    assert records[0].images == ("a.jpg", "b.jpg")
    assert records[0].attributes == {"size.h": 9}
    assert records[1].attributes == {"tags": ["x", "y"], "new": True}
    assert records[1].price == 4.5
    assert [reject.row for reject in rejects] == [2, 3, 6]


def test_parquet(tmp_path: Path) -> None:
    rows = [
        {"sku": "1", "title": "Mug", "image": ["a.jpg"], "size": {"h": 1.5}, "price": 2.0},
        {"sku": "2", "title": None, "image": None, "size": None, "price": None},
        {"sku": "3", "title": "Cup", "image": [], "size": None, "price": float("nan")},
    ]
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=1)
    records, rejects = read(path)
    assert [(r.key, r.price, r.images) for r in records] == [
        ("1", 2.0, ("a.jpg",)),
        ("3", None, ()),
    ]
    assert records[0].attributes == {"size.h": 1.5}
    assert [reject.row for reject in rejects] == [2]


def test_a_damaged_part_of_a_parquet_file_costs_that_part(tmp_path: Path) -> None:
    rows = [{"id": str(n), "title": f"Mug {n} " + "x" * 2_000} for n in range(6)]
    path = tmp_path / "a.parquet"
    table = pyarrow.Table.from_pylist(rows)
    pyarrow.parquet.write_table(table, path, row_group_size=2, compression="gzip")
    data = bytearray(path.read_bytes())
    start = pyarrow.parquet.ParquetFile(path).metadata.row_group(1).column(1).data_page_offset
    data[start + 20 : start + 60] = b"\xff" * 40
    path.write_bytes(data)
    records, rejects = read(path)
    assert {"0", "1", "4", "5"} <= {record.key for record in records}
    assert any(reject.row in (3, 4) and "cannot be read" in reject.reason for reject in rejects)


def test_a_folder_of_photos(tmp_path: Path) -> None:
    names = [
        "red-mug_01.jpg",
        "Grüne Tasse 😀.png",
        ".hidden.png",
        "lamps/Brass lamp.JPG",
        "lamps/9f86d081884c7d659a2feaa0c55ad015.jpg",
    ]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        draw_product("mug", "red").save(path)
    (tmp_path / "notes.md").write_text("no photo")
    (tmp_path / "._red-mug_01.jpg").write_bytes(b"what macOS leaves")
    (tmp_path / "red-mug_01.txt").write_text("Holds tea.\n")
    (tmp_path / "lamps/Brass lamp.json").write_text('{"title": "Lamp", "price": "20", "w": 3}')
    (tmp_path / ".hidden.json").write_text("{broken")
    records, rejects = read(tmp_path)
    found = {record.key: record for record in records}
    assert set(found) == set(names)
    assert found["red-mug_01.jpg"].title == "red mug"
    assert found["red-mug_01.jpg"].description == "Holds tea."
    lamp = found["lamps/Brass lamp.JPG"]
    assert (lamp.title, lamp.price, lamp.category) == ("Lamp", 20.0, "lamps")
    assert lamp.attributes == {"w": 3}
    assert found["lamps/9f86d081884c7d659a2feaa0c55ad015.jpg"].title == ""
    assert [(reject.key, reject.field) for reject in rejects] == [(".hidden.png", "description")]


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("12", 12.0), ("$1,299.00", 1299.0), ("1.299,00 €", 1299.0), ("₹ 1,299", 1299.0),
        ("12,50", 12.5), ("USD 5", 5.0), ("0", 0.0), ("1e3", 1000.0),
        ("abc", None), ("12-15", None), ("-3", None), ("nan", None), ("inf", None),
        ("1e999", None), ("from 5 to 7", None), ("12 apples", None),
    ],
)  # fmt: skip
def test_prices_as_shops_write_them(text: str, price: float | None) -> None:
    assert parse_price(text) == price


def test_html_is_read_as_its_text() -> None:
    html = "<p>Fits <b>all</b> &amp; more</p><script>alert(1)</script><ul><li>red</li></ul>"
    assert plain_text(html) == "Fits all & more red"
    assert plain_text("width < 3 & height > 2") == "width < 3 & height > 2"


def test_titles_from_file_names() -> None:
    assert title_from_path("a/b/Blue_vase-2.jpg") == "Blue vase"
    assert title_from_path("C:\\photos\\oak%20chair.png") == "oak chair"
    assert title_from_path("2024.jpg") == "2024"


def test_cells_of_photos() -> None:
    assert split_images(" a.jpg | b.jpg|") == ["a.jpg", "b.jpg"]
    assert split_images('["a.jpg", "b.jpg"]') == ["a.jpg", "b.jpg"]
    assert split_images({"path": "a.jpg", "bytes": None}) == ["a.jpg"]
    assert split_images(None) == []


def test_without_an_id_column_a_row_keeps_its_id_between_runs(tmp_path: Path) -> None:
    first, _ = read(written(tmp_path / "a.csv", "title,image\nMug,a.jpg\nCup,b.jpg\n"))
    second, _ = read(written(tmp_path / "b.csv", "title,image\nPot,c.jpg\nCup,b.jpg\n"))
    assert first[1].key == second[1].key
    assert len({record.key for record in first + second}) == 3


cell = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(st.tuples(cell, cell), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_a_csv_writer_wrote_comes_back(
    tmp_path: Path, rows: list[tuple[str, str]], delimiter: str, quoting: Any
) -> None:
    path = tmp_path / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, delimiter=delimiter, quoting=quoting)
        writer.writerow(["id", "title", "note"])
        for number, (title, note) in enumerate(rows):
            writer.writerow([f"k{number}", "t" + title, note])
    records, rejects = read(path)
    assert rejects == []
    assert [r.key for r in records] == [f"k{number}" for number in range(len(rows))]
    for record, (title, note) in zip(records, rows, strict=True):
        assert record.title == plain_text(("t" + title).strip())
        assert record.attributes.get("note", "") == note.strip()


@given(st.text("ab;,\t|\n\"' ", max_size=80))
def test_guessing_a_delimiter_never_fails(sample: str) -> None:
    assert guess_delimiter(sample, ",") in ",;\t|"


def test_short_values_of_columns_are_a_text_of_their_own(tmp_path: Path) -> None:
    """They say colour and material where the title does not; sizes, sentences and a yes do not."""
    path = tmp_path / "shop.csv"
    path.write_text(
        "id,title,category,colour,material,size,care,notes,on sale\n"
        "a,Lamp,Home > Lamps,black,coated steel,12 cm,,Wipe it with a damp cloth now and then,Yes\n"
        "b,Lamp,Lamps,,,,,,no\n"
        "c,Lamp,lamp,lamp,lamp,40x40,,,n/a\n",
        "utf-8",
    )
    records = [one for one in open_source(path, Settings()) if isinstance(one, ProductRecord)]
    said = {record.key: dict(record.texts).get("attributes") for record in records}
    assert said == {"a": "Home, Lamps, black, coated steel", "b": None, "c": None}
