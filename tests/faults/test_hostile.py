"""Bad input costs itself alone: files, tables and cells made to break what reads them."""

from __future__ import annotations

import csv
import faulthandler
import io
import json
import os
import re
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, features

import retrieval
from retrieval.errors import ImageError, SourceError
from retrieval.images.decoding import decode_photo
from retrieval.indexing.tally import IndexReport
from retrieval.searching.searcher import Searcher
from retrieval.settings import Settings
from retrieval.sources import ProductRecord, Reject, open_source
from retrieval.sources.records import parse_price, plain_text
from tests.faults.hostile_images import (
    MAX_BYTES,
    MAX_PIXELS,
    ImageCase,
    all_images,
    encoded,
    make_images,
    photo,
    png,
)
from tests.faults.hostile_tables import TableCase, all_tables, make_photo

pytestmark = [
    # What Pillow has to say of a broken file is no fault of ours.
    pytest.mark.filterwarnings("ignore::UserWarning:PIL.*"),
    pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning"),
]

HANGS_AFTER_S = 300
MOMENT_S = 1.0
CAPS: dict[str, Any] = {"max_image_pixels": MAX_PIXELS, "max_image_bytes": MAX_BYTES}
IMAGES = all_images()
TABLES = all_tables()
# Names that a folder may well hold; each is tested in a folder of its own.
AWKWARD_NAMES = {
    "close to the longest name": "x" * 249 + ".png",
    "an id of more than 200 characters": "y" * 210 + ".png",
    "deep in folders": "/".join(["a folder of photos"] * 12) + "/mug.png",
    "a bar": "front|back.png",
    "a leading space": " mug.png",
    "a line break": "two\nlines.png",
    "a control character": "bell\x07.png",
    "brackets": "[1].png/[2].png",
    "like an address": "data:mug.png",
    "an escaped NUL": "mug%00.png",
    "a JSON list": '["a.png", "b.png"].png',
    "like a tag": "<img src=x onerror=alert(1)>.png",
    "a backslash": "C:\\photos\\mug.png",
    "dots": "...png",
}


@pytest.fixture(autouse=True)
def no_hang(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that hangs ends the run, and shows where it hung."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        stderr = os.dup(2)
    faulthandler.dump_traceback_later(HANGS_AFTER_S, exit=True, file=stderr)
    yield
    faulthandler.cancel_dump_traceback_later()
    os.close(stderr)


@dataclass(frozen=True)
class Indexed:
    """An index of all the images, made by one kind of source; `keys` maps case -> id."""

    folder: Path
    report: IndexReport
    catalog: Searcher
    keys: dict[str, str]

    def rejects_of(self, key: str) -> list[Reject]:
        return [reject for reject in self.report.rejects if reject.key == key]


def _index_images(folder: Path, model: str, kind: str) -> Indexed:
    cases = [case for case in IMAGES if case.source in ("both", kind)]
    make_images(folder, cases)
    source = folder
    keys = {case.name: case.name for case in cases}
    if kind == "table":
        source = folder / "catalog.csv"
        keys = {case.name: f"k{number}" for number, case in enumerate(cases)}
        with source.open("w", newline="", encoding="utf-8") as handle:
            csv.writer(handle).writerows(
                [("id", "image"), *((key, name) for name, key in keys.items())]
            )
    index = folder.parent / f"index of {kind}"
    report = retrieval.build(source, index, model=model, **CAPS)
    return Indexed(folder, report, retrieval.open(index, **CAPS), keys)


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> dict[str, Indexed]:
    return {
        kind: _index_images(tmp_path_factory.mktemp(kind) / "photos", tiny_model, kind)
        for kind in ("folder", "table")
    }


def _each_image(*, good: bool) -> pytest.MarkDecorator:
    chosen = [
        pytest.param(kind, case, id=f"{kind}-{case.name.encode('ascii', 'replace').decode()}")
        for case in IMAGES
        for kind in ("folder", "table")
        if case.good == good and case.source in ("both", kind)
    ]
    return pytest.mark.parametrize(("kind", "case"), chosen)


def _is_one_line(text: str) -> bool:
    return bool(text.strip()) and text.isprintable()


def _is_publishable(value: Any) -> bool:
    """Whether it can be written as JSON that every reader of JSON takes."""
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    return True


def test_there_are_cases_enough_and_none_twice() -> None:
    assert sum(not case.good for case in IMAGES) >= 60
    assert sum(case.good for case in IMAGES) >= 15
    assert len({case.name for case in TABLES}) == len(TABLES) >= 20


@_each_image(good=True)
def test_an_odd_photo_is_found_by_itself(
    indexes: dict[str, Indexed], kind: str, case: ImageCase
) -> None:
    indexed = indexes[kind]
    assert indexed.rejects_of(indexed.keys[case.name]) == []
    hits = indexed.catalog.search(image=indexed.folder / case.name, limit=3)
    assert hits[0].id == indexed.keys[case.name]
    assert _is_publishable(hits.as_dict())


@_each_image(good=False)
def test_a_bad_image_is_refused_and_told_why(
    indexes: dict[str, Indexed], kind: str, case: ImageCase
) -> None:
    indexed = indexes[kind]
    if case.reason == "UTF-8":  # a name that cannot be a key
        rejects = [reject for reject in indexed.report.rejects if reject.key is None]
    else:
        rejects = indexed.rejects_of(indexed.keys[case.name])
    assert [reject.field for reject in rejects] == ["image"]
    assert re.search(case.reason, rejects[0].reason), rejects[0].reason
    assert _is_one_line(rejects[0].reason)
    assert _is_publishable(rejects[0].as_dict())
    if case.source == "both":
        with pytest.raises(ImageError, match=case.reason):
            indexed.catalog.search(image=indexed.folder / case.name)


@pytest.mark.parametrize("kind", ["folder", "table"])
def test_nothing_but_the_bad_images_is_refused(indexes: dict[str, Indexed], kind: str) -> None:
    indexed = indexes[kind]
    good = sum(case.good for case in IMAGES if case.name in indexed.keys)
    assert indexed.report.images == good
    assert indexed.report.rejected == len(indexed.keys) - good


@pytest.mark.parametrize("name", AWKWARD_NAMES.values(), ids=AWKWARD_NAMES.keys())
def test_a_photo_with_an_awkward_name_is_found(tmp_path: Path, tiny_model: str, name: str) -> None:
    path = tmp_path / "photos" / name
    path.parent.mkdir(parents=True)
    photo("awkward").save(path, "PNG")
    photo("plain").save(tmp_path / "photos/plain.png")
    report = retrieval.build(tmp_path / "photos", tmp_path / "index", model=tiny_model)
    assert report.rejects == []
    hits = retrieval.open(tmp_path / "index").search(image=path)
    assert hits.total == 2
    assert hits[0].id != "plain.png"
    assert Path(str(hits[0].image)).samefile(path)


@pytest.mark.parametrize("case", TABLES, ids=lambda case: case.name)
def test_a_hostile_table(tmp_path: Path, tiny_model: str, case: TableCase) -> None:
    path, index = tmp_path / case.name, tmp_path / "index"
    make_photo(tmp_path)
    case.make(path)
    if case.unusable:
        with pytest.raises(SourceError, match=case.unusable) as caught:
            retrieval.build(path, index, model=tiny_model)
        assert _is_one_line(str(caught.value))
        return
    report = retrieval.build(path, index, model=tiny_model)
    rejects = [reject for reject in report.rejects if reject.row not in case.either]
    found = sorted((reject.row or 0, reject.field) for reject in rejects)
    assert found == sorted((bad.row, bad.field) for bad in case.bad)
    for bad in case.bad:
        reasons = [r.reason for r in rejects if (r.row, r.field) == (bad.row, bad.field)]
        assert re.search(bad.reason, reasons[0]), reasons
    for reject in report.rejects:
        assert _is_one_line(reject.reason)
        assert _is_publishable(reject.as_dict())
    assert len(case.good) <= report.products <= len(case.good) + len(case.either)
    catalog = retrieval.open(index)
    for key in case.good:
        card = catalog.product(key)
        for field, said in (case.said or {}).get(key, {}).items():
            assert getattr(card, field) == said
    assert _is_publishable(catalog.search(text="mug", limit=100).as_dict())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("latin1_header.csv", "id,title,größe\n1,Mug,4\n2,Cup,5\n".encode("latin-1")),
        (
            "key.jsonl",
            b'{"id": "1", "title": "Mug", "\\ud800": "x"}\n{"id": "2", "title": "Cup"}\n',
        ),
        ("nul.csv", b"id,title,a\0b\n1,Mug,4\n2,Cup,5\n"),
    ],
)
def test_a_column_name_that_is_no_text_reaches_no_answer(
    tmp_path: Path, tiny_model: str, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    try:
        report = retrieval.build(path, tmp_path / "index", model=tiny_model)
    except SourceError as error:
        assert _is_one_line(str(error))
        return
    assert all(_is_publishable(reject.as_dict()) for reject in report.rejects)
    hits = retrieval.open(tmp_path / "index").search(text="mug")
    assert len(hits) >= 1
    assert _is_publishable(hits.as_dict())


def _same_columns(count: int) -> list[ProductRecord | Reject]:
    path = Path("same.csv")
    path.write_text(f"id,title{',x' * count}\n1,Mug\n", encoding="utf-8")
    return list(open_source(path, Settings()))


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(lambda: parse_price("1" + " " * 30_000 + "x y"), id="price"),
        pytest.param(lambda: plain_text("<b>x</b>" + "<a " * 6_000), id="tags never closed"),
        pytest.param(lambda: plain_text("<b>x</b>" + "<a b='" * 6_000), id="open attributes"),
        pytest.param(lambda: plain_text("<b>x</b>" + "<!--" * 30_000), id="open comments"),
        pytest.param(lambda: plain_text("<b>x</b>" + "</" * 100_000), id="open end tags"),
        pytest.param(lambda: plain_text("<" * 500_000), id="angle brackets"),
        pytest.param(lambda: _same_columns(1_000), id="columns of one name"),
    ],
)
def test_a_long_hostile_cell_takes_a_moment_only(work: Callable[[], object]) -> None:
    """These sizes take seconds where the time grows with their square."""
    started = time.process_time()
    work()
    assert time.process_time() - started < MOMENT_S


@pytest.mark.parametrize("text", ["a" * 100_000, "ab " * 30_000, "漢" * 30_000, "😀" * 30_000])
def test_a_very_long_text_takes_a_while_only(tmp_path: Path, tiny_model: str, text: str) -> None:
    path = tmp_path / "long.csv"
    path.write_text(f"id,title,description\n1,Mug,{text}\n", encoding="utf-8")
    started = time.process_time()
    retrieval.build(path, tmp_path / "index", model=tiny_model)
    assert time.process_time() - started < 60


def test_the_pixel_cap_that_was_set_is_the_one_that_holds() -> None:
    """Pillow has a cap of its own; raising `max_image_pixels` above it must have an effect."""
    beyond = png(13_500, 13_500, depth=1, colour=0)
    with pytest.raises(ImageError, match="damaged"):
        decode_photo(beyond, 1_000_000_000)
    with pytest.raises(ImageError, match=r"13500 x 13500 pixels.*max_image_pixels"):
        decode_photo(beyond, 1_000_000)


def test_a_wide_photo_takes_little_memory() -> None:
    """As a PNG a black photo of 80 megapixels is a few kilobytes; threads decode several."""
    data = encoded(Image.fromarray(np.zeros((1_000, 1_000), np.uint16)), "PNG")
    tracemalloc.start()
    decode_photo(data, MAX_PIXELS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 1_000 * 1_000


KINDS = ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "MPO"]
KINDS += ["AVIF"] if features.check("avif") else []
SOUND = {kind: encoded(photo("sound", (48, 40)), kind) for kind in KINDS}
PLACE = st.floats(0, 1, exclude_max=True)
CHANGE = st.tuples(st.sampled_from(["flip", "cut", "insert", "zero"]), PLACE, st.binary(max_size=9))


def _mutated(data: bytes, changes: list[tuple[str, float, bytes]]) -> bytes:
    for how, place, said in changes:
        # Headers are where it hurts: half of the places are among the first bytes.
        at = int(place * 2 * len(data)) if place < 0.5 else int((place - 0.5) * 400)
        head, tail = data[:at], data[at:]
        if how == "flip":
            data = head + said + tail[len(said) :]
        elif how == "insert":
            data = head + said + tail
        elif how == "zero":
            data = head + b"\0" * min(8, len(tail)) + tail[8:]
        else:
            data = head + tail[len(said) * 50 :] if said else head
    return data


@settings(max_examples=600, deadline=None)
@given(st.sampled_from(KINDS), st.lists(CHANGE, min_size=1, max_size=6))
def test_a_mutated_photo_is_read_or_refused(
    kind: str, changes: list[tuple[str, float, bytes]]
) -> None:
    try:
        pixels = decode_photo(_mutated(SOUND[kind], changes), MAX_PIXELS).pixels
    except ImageError as error:
        assert _is_one_line(str(error))
    else:
        assert pixels.mode == "RGB"
        assert 0 < pixels.width * pixels.height <= MAX_PIXELS


WRITTEN = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
JUNK = st.one_of(
    st.text(max_size=80).map(str.encode),
    st.text("\",;|\t\n\r\\ ab\0'{}[]<>", max_size=80).map(str.encode),
    st.binary(max_size=80),
)


@WRITTEN
@given(JUNK, st.sampled_from([".csv", ".tsv", ".jsonl"]))
def test_any_bytes_are_a_source_or_a_source_error(
    tmp_path: Path, content: bytes, suffix: str
) -> None:
    path = tmp_path / f"any{suffix}"
    path.write_bytes(content)
    try:
        for item in open_source(path, Settings()):
            assert isinstance(item, ProductRecord) or _is_one_line(item.reason)
    except SourceError as error:
        assert _is_one_line(str(error))


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
PLAIN = st.text("abc xyz", max_size=20)


@WRITTEN
@given(
    before=st.lists(st.tuples(CELL, CELL), max_size=4),
    junk=JUNK,
    after=st.lists(st.tuples(PLAIN, PLAIN), min_size=1, max_size=4),
)
def test_junk_in_a_table_costs_no_row_around_it(
    tmp_path: Path,
    before: list[tuple[str, str]],
    junk: bytes,
    after: list[tuple[str, str]],
) -> None:
    """No quote stands behind the junk, which could make a cell of it and good rows."""
    above, below = io.StringIO(), io.StringIO()
    rows = [
        ("id", "title", "note"),
        *((f"above{n}", f"t{t}", o) for n, (t, o) in enumerate(before)),
    ]
    csv.writer(above).writerows(rows)
    csv.writer(below).writerows((f"below{n}", f"t{t}", o) for n, (t, o) in enumerate(after))
    path = tmp_path / "around.csv"
    path.write_bytes(above.getvalue().encode() + junk + b"\r\n" + below.getvalue().encode())
    keys = {item.key for item in open_source(path, Settings()) if isinstance(item, ProductRecord)}
    assert {f"above{n}" for n in range(len(before))} <= keys
    assert {f"below{n}" for n in range(len(after))} <= keys
