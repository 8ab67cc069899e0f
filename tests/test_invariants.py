"""The house's ten invariants: each broken on purpose somewhere, each seen to hold."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import retrieval
from retrieval.common.progress import Quiet
from retrieval.errors import IndexMismatch, QueryError
from retrieval.images.model_input import fit_square
from retrieval.indexing.maintenance import rebuild
from retrieval.settings import load_settings
from retrieval.storage.folder.ann import AnnIndex
from retrieval.storage.folder.generation_folders import Generations
from tests.support.models import no_model
from tests.support.shop import Shop


def answers(index: Path, shop: Shop) -> list[Any]:
    catalog = retrieval.open(index)
    photo = shop.folder / "images" / "P-004.png"
    queries: list[dict[str, Any]] = [
        {"text": "red mug"},
        {"text": "blue box", "mode": "vector"},
        {"image": photo},
        {"text": "green", "image": photo, "minus": "plate"},
        {"like": "P-010"},
        {"text": "bottle", "where": {"price": {"<": 20}}},
    ]
    return [
        [(hit.id, hit.score, hit.matched, hit.strength) for hit in catalog.search(**query)]
        for query in queries
    ]


def test_1_sqlite_is_the_truth_and_faiss_is_derived(index: Path, shop: Shop) -> None:
    before = answers(index, shop)
    for path in (index / "generations").rglob("*"):
        if path.is_file():
            path.unlink()

    with no_model():
        rebuild(load_settings(index=index), Quiet())
    assert answers(index, shop) == before


def test_2_a_faiss_id_is_a_primary_key(index: Path, shop: Shop, tiny_model: str) -> None:
    """After deletions rows move up: an id that was a position would name another product."""
    for key in ("P-000", "P-001", "P-007"):
        del shop.rows[key]
    retrieval.build(shop.write(), index, model=tiny_model, prune=True)
    folder = index / "generations" / "2"
    with sqlite3.connect(index / "catalog.db") as connection:
        for name, table in (("images", "image"), ("texts", "text")):
            keys = [row[0] for row in connection.execute(f"SELECT id FROM {table} ORDER BY id")]
            assert AnnIndex.load(folder / f"{name}.faiss", "flat", 0).ids().tolist() == keys
            assert keys != list(range(len(keys)))
    connection.close()
    for key in ("P-002", "P-008", "P-019"):
        hit = retrieval.open(index).search(image=shop.folder / "images" / f"{key}.png")[0]
        assert hit.id == key


def _photo_keys(index: Path) -> list[int]:
    return [photo.id for card in retrieval.open(index).generation.scan() for photo in card.images]


def test_2_a_primary_key_is_never_used_again(index: Path, shop: Shop, tiny_model: str) -> None:
    """A generation that is rolled back to must not find a new photo under an old id."""
    first = set(_photo_keys(index))
    del shop.rows["P-019"]
    retrieval.build(shop.write(), index, model=tiny_model, prune=True)
    shop.add("P-020", "mug", "purple")
    retrieval.build(shop.write(), index, model=tiny_model)
    second = set(_photo_keys(index))
    assert max(second) > max(first)


def test_3_a_query_by_another_fingerprint_is_refused(
    index: Path, other_model: str, tiny_model: str
) -> None:
    with pytest.raises(IndexMismatch, match=r"retrieval index SOURCE --model local-dir"):
        retrieval.open(index, model=other_model).search("mug")
    path = next((index / "generations").glob("*/manifest.json"))
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps({**manifest, "fingerprint": "0" * 16}))
    with pytest.raises(IndexMismatch):
        retrieval.open(index, model=tiny_model).search("mug")


def test_4_until_current_is_replaced_readers_see_the_old_generation(
    index: Path, shop: Shop, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killing it for real, at every step, is in tests/faults."""
    shop.rows["P-000"]["title"] = "Renamed thing"
    before = answers(index, shop)

    def power_cut(*_: Any) -> None:
        raise OSError("no power")

    with monkeypatch.context() as patch:
        patch.setattr(Generations, "make_current", power_cut)
        with pytest.raises(OSError, match="no power"):
            retrieval.build(shop.write(), index, model=tiny_model)
    assert answers(index, shop) == before
    report = retrieval.build(shop.path, index, model=tiny_model)
    assert report.embedded == 0, "the next run goes on from the last batch"
    assert retrieval.open(index).search("renamed", mode="lexical").total == 1


def test_5_readers_follow_current_and_no_answer_mixes_generations(
    index: Path, shop: Shop, tiny_model: str
) -> None:
    """Each generation names itself in every title: a mixed answer would show two numbers."""

    def publish(number: int) -> None:
        for row in shop.rows.values():
            row["brand"] = f"edition-{number}"
        retrieval.build(shop.write(), index, model=tiny_model)

    publish(2)
    catalog = retrieval.open(index)
    stop = threading.Event()
    faults: list[str] = []
    seen: set[int] = set()

    def search() -> None:
        while not stop.is_set():
            try:
                result = catalog.search("mug", mode="lexical", limit=20)
                near = catalog.search(like="P-003", limit=20)
            except Exception as error:
                faults.append(repr(error))
                return
            for answer in (result, near):
                brands = {hit.brand for hit in answer}
                seen.add(answer.generation)
                if brands != {f"edition-{answer.generation}"}:
                    faults.append(f"{answer.generation}: {brands}")

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(3, 9):
        publish(number)
    stop.set()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(seen) > 2
    assert catalog.search("mug", mode="lexical").generation == 8
    assert len(Generations(index).numbers()) == 3, "old ones stay for rollback"


def test_5_a_generation_that_is_dropped_while_it_is_read_fails_no_search(
    index: Path, shop: Shop
) -> None:
    opened = retrieval.open(index)
    stale = opened.generation
    stale._snapshot.engine.dispose()  # type: ignore[attr-defined]  # none of its connections is open yet
    for number in range(4):
        shop.rows["P-001"]["title"] = f"Renamed {number}"
        retrieval.build(shop.write(), index)
    shutil.rmtree(index / "generations" / "1", ignore_errors=True)
    opened._storage.current = lambda: stale  # type: ignore[method-assign]
    assert opened.search(text="P-003")[0].id == "P-003"
    assert opened.product("P-001").title == "Renamed 3"


def test_6_one_bad_row_image_or_text_costs_itself_alone(
    shop: Shop, tmp_path: Path, tiny_model: str
) -> None:
    (shop.folder / "images" / "P-003.png").write_bytes(b"not a photo")
    shop.rows["P-005"]["image"] += "|images/none.png"
    shop.rows["P-006"]["price"] = "?"
    lines = shop.write().read_text().splitlines()
    lines.insert(4, "too,many,cells" + ",x" * 20)
    shop.path.write_text("\n".join(lines))
    report = retrieval.build(shop.path, tmp_path / "i", model=tiny_model)
    assert (report.products, report.images, report.texts) == (20, 19, 60)
    assert {(reject.row, reject.field) for reject in report.rejects} == {
        (5, "row"), (6, "image"), (8, "image"), (9, "price"),
    }  # fmt: skip
    assert all(reject.reason for reject in report.rejects)


@pytest.mark.parametrize("change", ["as it is", "exif", "jpeg", "resized", "webp small"])
def test_7_the_same_photo_finds_itself_first(index: Path, shop: Shop, change: str) -> None:
    catalog = retrieval.open(index)
    found = 0
    for key in shop.rows:
        image = Image.open(shop.folder / "images" / f"{key}.png")
        buffer = io.BytesIO()
        if change == "exif":
            exif = Image.Exif()
            exif[0x0112] = 6
            image.transpose(Image.Transpose.ROTATE_90).save(buffer, "PNG", exif=exif)
        elif change == "jpeg":
            image.save(buffer, "JPEG", quality=80)
        elif change == "resized":
            image.resize((360, 360), Image.Resampling.LANCZOS).save(buffer, "PNG")
        elif change == "webp small":
            image.resize((96, 96), Image.Resampling.LANCZOS).save(buffer, "WEBP", quality=85)
        else:
            image.save(buffer, "PNG")
        found += catalog.search(image=buffer.getvalue(), limit=1)[0].id == key
    assert found == len(shop.rows)


def test_8_transparency_is_white_and_long_photos_are_whole(tiny_encoder: Any) -> None:
    assert tiny_encoder.details.preprocess["fit"] == "letterbox"
    tall = Image.new("RGB", (50, 400), "white")
    tall.paste((255, 0, 0), (0, 0, 50, 40))
    tall.paste((0, 0, 255), (0, 360, 50, 400))
    square = fit_square(tall, 64, "letterbox")
    assert square[0, 2, 32] > 200 and square[2, 2, 32] < 80, "the top is there"
    assert square[2, 61, 32] > 200 and square[0, 61, 32] < 80, "and the bottom"
    np.testing.assert_array_equal(tiny_encoder.prepare(tall), square)


def test_8_a_cut_out_and_its_photo_on_white_are_the_same(index: Path, shop: Shop) -> None:
    image = Image.open(shop.folder / "images" / "P-005.png").convert("RGBA")
    pixels = np.asarray(image).copy()
    background = (pixels[..., :3] == 250).all(axis=-1)
    pixels[background] = (0, 0, 0, 0)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    assert retrieval.open(index).search(image=buffer.getvalue())[0].id == "P-005"


def test_9_results_are_the_same_each_time_and_pages_do_not_overlap(
    make_shop: Callable[..., Shop], tmp_path: Path, tiny_model: str
) -> None:
    """The same photo under ids whose order is not that of the rows: ties at every border."""
    shop = make_shop(0, "ties")
    for number in (7, 3, 9, 1, 8, 2, 6, 0, 5, 4):
        shop.add(f"T-{number}", "mug", "red", image="images/T-7.png", title="Mug")
    retrieval.build(shop.write(), tmp_path / "i", model=tiny_model)
    expected = [f"T-{number}" for number in range(10)]
    for _ in range(2):
        catalog = retrieval.open(tmp_path / "i")
        photo = shop.folder / "images" / "T-7.png"
        assert [hit.id for hit in catalog.search(image=photo)] == expected
        paged = [catalog.search(image=photo, limit=3, offset=n) for n in (0, 3, 6, 9)]
        assert [hit.id for page in paged for hit in page] == expected


def test_10_nothing_asked_is_a_path_of_ours_or_sql(index: Path) -> None:
    """Bytes are what a visitor sends; words and filters reach SQLite as values only."""
    catalog = retrieval.open(index)
    for text in ("../../etc/passwd", "'; DROP TABLE product; --", '" OR 1=1', "NEAR(a b)", "a*"):
        catalog.search(text, where={"brand": text})
        with pytest.raises(QueryError, match="filter by"):
            catalog.search(text, where={text: text})
        catalog.search(text, mode="lexical")
        with pytest.raises(QueryError):
            catalog.search(like=text)
    assert catalog.search("mug", mode="lexical").total == 5


def test_10_a_photo_column_never_fetches(shop: Shop, tmp_path: Path, tiny_model: str) -> None:
    told = {
        "http://127.0.0.1:9/a.jpg": "web address",
        "file://127.0.0.1/etc/passwd": "not",
        "file:///etc/passwd": "not an image",
        "data:image/png;base64,AA": "web address",
    }
    for address, reason in told.items():
        shop.rows["P-000"]["image"] = address
        report = retrieval.build(shop.write(), tmp_path / "i", model=tiny_model)
        assert [reject.key for reject in report.rejects] == ["P-000"]
        assert reason in report.rejects[0].reason
