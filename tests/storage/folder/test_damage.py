"""A byte that a disk changed: no answer is wrong for it, and a good copy mends it."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tarfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retrieval
from retrieval.common.progress import Quiet
from retrieval.errors import CatalogError, IndexDamaged, RetrievalError
from retrieval.indexing.maintenance import rebuild, verify
from retrieval.settings import Settings, load_settings
from retrieval.storage.folder import integrity
from retrieval.storage.folder.generation_folders import Generations
from tests.storage.folder.test_first_format import ARCHIVE
from tests.support.damage import generation, problems, query
from tests.support.models import no_model

FLIPS_A_FILE = 3


def flip(path: Path, place: int, bits: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ bits]))


def answers(index: Path) -> Any:
    """What is like a product, and what goes by a word; scores as they are shown."""
    catalog = retrieval.open(index)
    searches = ({"like": "P-001"}, {"text": "red mug", "mode": "lexical"}, {"like": "P-004"})
    pages = [catalog.search(limit=50, **search) for search in searches]  # type: ignore[arg-type]
    return [
        [(hit.id, hit.title, hit.brand, hit.price, hit.score) for hit in page] for page in pages
    ]


def test_a_byte_of_any_file_of_a_generation_gives_no_wrong_answer(made: Settings) -> None:
    before = answers(made.index)
    folder, chance = generation(made), random.Random(7)
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for _ in range(FLIPS_A_FILE):
            flip(path, chance.randrange(len(whole)), chance.randrange(1, 256))
            try:
                assert answers(made.index) == before, path.name
            except IndexDamaged as error:
                assert "retrieval verify" in str(error) or "retrieval rebuild" in str(error)
            assert problems(made), f"verify misses {path.name}"
            path.write_bytes(whole)
    assert problems(made) == []


@pytest.mark.parametrize(
    "name",
    ["images.vectors.npy", "texts.faiss", "snapshot.db", "images.products.npy", "map.ids.npy"],
)
def test_a_large_generation_is_read_through_behind_its_answers(
    made: Settings, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What a server that runs for months would go on to answer wrongly."""
    path = generation(made) / name
    flip(path, path.stat().st_size - 20, 0x41)
    monkeypatch.setattr(integrity, "EAGER_BYTES", 0)
    try:
        catalog = retrieval.open(made.index)
        for thread in threading.enumerate():
            if thread.name.startswith("integrity of"):
                thread.join(60)
        with pytest.raises(IndexDamaged, match=rf"{name}.*verify --repair"):
            catalog.search("mug", mode="lexical")
    except IndexDamaged:
        return  # noticed while it was opened
    assert verify(made, Quiet(), repair=True).ok
    assert len(catalog.search("mug", mode="lexical")) == 5, "the same server answers again"


def test_what_goes_wrong_in_an_answer_is_told_as_the_damage_it_is(
    made: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integrity, "EAGER_BYTES", 0)
    monkeypatch.setattr(integrity.Integrity, "_read_slowly", lambda _: None)
    catalog = retrieval.open(made.index)
    path = generation(made) / "images.vectors.npy"
    flip(path, path.stat().st_size - 1, 0x41)

    def fault(*_: Any, **__: Any) -> Any:
        raise IndexError("out of bounds")

    monkeypatch.setattr("retrieval.searching.searcher.answer", fault)
    with pytest.raises(IndexDamaged, match=r"images\.vectors\.npy"):
        catalog.search("mug", mode="lexical")
    flip(path, path.stat().st_size - 1, 0x41)
    with pytest.raises(IndexError):  # of a whole index it is a fault of ours, and not hidden
        retrieval.open(made.index).search("mug", mode="lexical")


def turned(settings: Settings, vector_id: int) -> None:
    """The sign of one component: the length stays 1."""
    connection = sqlite3.connect(settings.index / "catalog.db")
    (data,) = connection.execute("SELECT data FROM vector WHERE id = ?", (vector_id,)).fetchone()
    connection.close()
    values = np.frombuffer(data, "<f2").copy()
    values[np.abs(values).argmax()] *= -1
    query(settings, "UPDATE vector SET data = ? WHERE id = ?", values.tobytes(), vector_id)


@pytest.mark.parametrize("vector_id", [1, 2, 17, 40, 80])
def test_a_vector_that_changed_is_taken_from_the_generation_never_published(
    made: Settings, vector_id: int
) -> None:
    before = answers(made.index)
    turned(made, vector_id)
    assert any(f"stored vector {vector_id} is not as it was" in text for text in problems(made))
    with pytest.raises(CatalogError, match="verify --repair"):
        rebuild(made, Quiet())
    with no_model():
        report = verify(made, Quiet(), repair=True)
    assert report.ok and any("took 1 stored vector" in line for line in report.repaired)
    assert answers(made.index) == before
    rebuild(made, Quiet())
    assert answers(made.index) == before


def test_a_good_copy_is_taken_from_an_older_generation(made: Settings) -> None:
    before = answers(made.index)
    rebuild(made, Quiet())
    turned(made, 3)
    for name in ("images.vectors.npy", "texts.vectors.npy"):
        (generation(made) / name).unlink()
    assert verify(made, Quiet(), repair=True).ok
    assert answers(made.index) == before


ROWS = {
    "brand": ("UPDATE product SET brand = 'Acmf' WHERE key = 'P-003'", "product"),
    "price": ("UPDATE product SET price = price + 4 WHERE key = 'P-004'", "product"),
    "id": ("UPDATE product SET key = 'P-903' WHERE key = 'P-003'", "product"),
    "attribute": (
        "UPDATE product SET attributes = replace(attributes, 'red', 'rfd') WHERE key = 'P-002'",
        "product",
    ),
    "text": ("UPDATE text SET content = 'Red mvg' WHERE id = 1", "text"),
    "photo": ("UPDATE image SET path = replace(path, 'P', 'Q') WHERE id = 7", "image"),
}


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("copy", [True, False])
def test_a_row_that_changed_is_found_and_mended(
    made: Settings, shop: Any, tiny_model: str, name: str, copy: bool
) -> None:
    """Row and indexes of SQLite agree on it: SQLite sees no fault."""
    statement, table = ROWS[name]
    before = answers(made.index)
    query(made, statement)
    if not copy:
        (generation(made) / "snapshot.db").write_bytes(b"gone")
    assert any(f"rows of {table} in catalog.db are not" in text for text in problems(made))
    with pytest.raises(CatalogError, match="verify --repair"):
        rebuild(made, Quiet())
    report = verify(made, Quiet(), repair=True)
    if copy:
        assert report.ok and answers(made.index) == before
        return
    assert any("`retrieval index SOURCE` writes them anew" in line for line in report.repaired)
    again = retrieval.build(shop.path, made.index, model=tiny_model, prune=True)
    assert again.products == 20
    assert problems(made) == []
    after = answers(made.index)
    assert [[hit[:4] for hit in page] for page in after] == [
        [hit[:4] for hit in page] for page in before
    ]


def test_a_checksum_that_changed_itself_loses_no_vector(made: Settings) -> None:
    before = answers(made.index)
    query(made, "UPDATE vector SET checksum = checksum + 1 WHERE id = 9")
    assert problems(made)
    report = verify(made, Quiet(), repair=True)
    assert report.ok and not any("dropped" in line for line in report.repaired)
    assert answers(made.index) == before


@pytest.fixture
def old(tmp_path: Path) -> Settings:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return load_settings(index=tmp_path / "index")


def unchecked(settings: Settings) -> int:
    connection = sqlite3.connect(settings.index / "catalog.db")
    counts = [
        connection.execute(f"SELECT count(*) FROM {table} WHERE checksum IS NULL").fetchone()[0]
        for table in ("vector", "product", "image", "text")
    ]
    connection.close()
    return sum(counts)


def test_an_index_of_before_gets_checksums_when_it_is_verified_or_written(old: Settings) -> None:
    copy = load_settings(index=Path(shutil.copytree(old.index, old.index.parent / "copy")))
    assert verify(old, Quiet()).ok
    assert unchecked(old) == 0
    rebuild(copy, Quiet())
    assert unchecked(copy) == 0
    turned(copy, 4)
    assert problems(copy)


@pytest.mark.parametrize("change", ["vector", "row"])
def test_damage_of_before_is_not_given_a_checksum(old: Settings, change: str) -> None:
    before = retrieval.open(old.index).search(like="P-00", limit=20)
    if change == "vector":
        turned(old, 1)
    else:
        query(old, "UPDATE product SET title = 'Rfd mug' WHERE key = 'P-00'")
    with pytest.raises(CatalogError, match="verify --repair"):
        rebuild(old, Quiet())
    assert problems(old)
    assert verify(old, Quiet(), repair=True).ok
    after = retrieval.open(old.index).search(like="P-00", limit=20)
    assert [(hit.id, hit.title, hit.score) for hit in after] == [
        (hit.id, hit.title, hit.score) for hit in before
    ]


def test_a_damaged_map_is_not_carried_into_the_next_generation(made: Settings) -> None:
    path = generation(made) / "map.places.npy"
    places = np.load(path)
    flip(path, path.stat().st_size - 3, 0x3F)
    with pytest.raises(RetrievalError):
        retrieval.open(made.index)
    with_map = rebuild(made, Quiet())
    drawn = np.load(Generations(made.index).folder(with_map.generation) / "map.places.npy")
    assert np.array_equal(drawn, places)
