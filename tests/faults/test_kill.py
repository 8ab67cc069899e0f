"""Killed at any moment, readers see a whole generation, and the next run makes it all good."""

from __future__ import annotations

import contextlib
import random
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

import retrieval
from retrieval.common.progress import Quiet
from retrieval.errors import IndexMissing
from retrieval.indexing.maintenance import verify
from retrieval.settings import load_settings
from retrieval.storage.folder.database import CATALOG_FILE, open_catalog
from retrieval.storage.models import Image, ProductRow, ProductText, Vector
from tests.faults.killing import context, index_and_die, index_source
from tests.support.shop import Shop

MOMENTS = 50
WORDS = ("red", "mug", "deluxe", "new")


class Clock:
    """Notes when the work began, the model being loaded: moments are chosen within the work."""

    began = 0.0

    def set(self) -> None:
        self.began = time.perf_counter()


class Before:
    """An index of one state of a shop, the next state of its source, and both as they should be."""

    def __init__(self, folder: Path, model: str) -> None:
        self.model = model
        shop = Shop(folder / "shop")
        for number in range(16):
            shop.add(f"P-{number:02d}", ("mug", "box")[number % 2], ("red", "blue")[number % 3 > 0])
        retrieval.build(shop.write(), folder / "old", model=model)
        self.old_index = folder / "old"
        self.old = answers(folder / "old")
        for key in list(shop.rows)[:4]:
            shop.rows[key]["title"] += " deluxe"
        for key in list(shop.rows)[4:7]:
            del shop.rows[key]
        for number in range(8):
            shop.add(f"N-{number}", "bottle", "green", description=f"new {number}")
        self.source = shop.write()
        shutil.copytree(self.old_index, folder / "new")
        work = Clock()
        index_source(self.source, folder / "new", model, work)
        self.seconds = time.perf_counter() - work.began
        self.new = answers(folder / "new")
        self.contents = contents(folder / "new")
        self.vectors = vectors(folder / "new")
        assert self.old != self.new


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> Before:
    return Before(tmp_path_factory.mktemp("kill"), tiny_model)


def answers(index: Path) -> Any:
    """What a user sees: by words, and by the neighbours of products."""
    catalog = retrieval.open(index)
    by_words = [
        [(hit.id, hit.title) for hit in catalog.search(word, mode="lexical", limit=50)]
        for word in WORDS
    ]
    near = [(hit.id, hit.title) for hit in catalog.search(like="P-00", limit=50)]
    return by_words, near


def contents(index: Path) -> Any:
    """All that the catalog holds, but for primary keys and times."""
    engine = open_catalog(index / CATALOG_FILE)
    columns = (
        (ProductRow.key, ProductRow.title, ProductRow.description, ProductRow.row_hash),
        (Image.content_hash, Image.file_hash, Image.position),
        (ProductText.field, ProductText.content, ProductText.content_hash),
        (Vector.content_hash,),
    )
    with engine.connect() as connection:
        held = [sorted(map(tuple, connection.execute(select(*wanted)))) for wanted in columns]
    engine.dispose()
    return held


def vectors(index: Path) -> dict[str, Any]:
    """Stored vectors by content hash."""
    engine = open_catalog(index / CATALOG_FILE)
    with engine.connect() as connection:
        rows = connection.execute(select(Vector.content_hash, Vector.data)).all()
    engine.dispose()
    return {row[0]: np.frombuffer(row[1], "<f2").astype(np.float32) for row in rows}


def check(before: Before, index: Path) -> None:
    """Whole now, and after one more run the same as if nothing had happened."""
    assert answers(index) in (before.old, before.new), "an answer mixes two states"
    index_source(before.source, index, before.model)
    assert answers(index) == before.new
    assert contents(index) == before.contents
    # In other batches the last bit of a sum may differ, and with it that of a float16.
    for key, vector in vectors(index).items():
        np.testing.assert_allclose(vector, before.vectors[key], atol=2e-3)
    assert verify(load_settings(index=index), Quiet()).problems == ()


def killed_run(before: Before, index: Path, after: float) -> bool:
    """Indexes in another process, and kills it so many seconds into the work; was it at work?"""
    processes = context()
    ready = processes.Event()
    child = processes.Process(target=index_source, args=(before.source, index, before.model, ready))
    child.start()
    assert ready.wait(60)
    time.sleep(after)
    child.kill()
    child.join()
    return bool(child.exitcode != 0)


@pytest.mark.slow
def test_killed_at_random_moments(before: Before, tmp_path: Path) -> None:
    chance = random.Random(20)
    killed = 0
    for moment in range(MOMENTS):
        index = tmp_path / str(moment)
        shutil.copytree(before.old_index, index)
        killed += killed_run(before, index, chance.random() * before.seconds)
        check(before, index)
        shutil.rmtree(index)
    assert killed > MOMENTS / 2, "most of them must have been at work"


@pytest.mark.slow
def test_killed_at_each_step_of_publishing(before: Before, tmp_path: Path) -> None:
    processes = context()
    steps = processes.Value("i", 0)

    def run(at: int | None) -> Path:
        index = tmp_path / str(at)
        shutil.copytree(before.old_index, index)
        child = processes.Process(
            target=index_and_die, args=(before.source, index, before.model, at, steps)
        )
        child.start()
        child.join()
        assert child.exitcode == (0 if at is None else -9)
        return index

    check(before, run(None))
    assert steps.value > 25
    for at in range(steps.value):
        index = run(at)
        check(before, index)
        shutil.rmtree(index)


@pytest.mark.slow
def test_killed_in_the_first_run_of_all(before: Before, tmp_path: Path) -> None:
    """There is no old generation to fall back on: it says so, and the next run succeeds."""
    chance = random.Random(21)
    for moment in range(6):
        index = tmp_path / str(moment)
        killed_run(before, index, chance.random() * before.seconds)
        with contextlib.suppress(IndexMissing):
            assert answers(index) == before.new
        index_source(before.source, index, before.model)
        assert answers(index) == before.new
        assert verify(load_settings(index=index), Quiet()).problems == ()
