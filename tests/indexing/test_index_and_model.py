"""An index, its model and its photos may be changed, moved and lost; answers stay right."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import retrieval
from retrieval.encoders import Encoder
from retrieval.settings import Settings
from tests.support.indexing import Watched, run
from tests.support.shop import Shop, draw_product


def test_another_model_embeds_everything_and_the_first_is_not_forgotten(
    shop: Shop, tmp_path: Path, tiny_model: str, other_model: str
) -> None:
    index = tmp_path / "index"
    first = retrieval.build(shop.path, index, model=tiny_model)
    second = retrieval.build(shop.path, index, model=other_model)
    assert second.embedded == first.embedded
    third = retrieval.build(shop.path, index)
    assert third.model == other_model, "without --model the index keeps its own"
    back = retrieval.build(shop.path, index, model=tiny_model)
    assert back.embedded == 0
    assert back.generation == 3


def test_another_model_embeds_products_of_earlier_sources_too(
    shop: Shop, tmp_path: Path, tiny_model: str, other_model: str
) -> None:
    index = tmp_path / "index"
    retrieval.build(shop.path, index, model=tiny_model)
    more = Shop(tmp_path / "more")
    more.add("X-1", "mug", "red")
    report = retrieval.build(more.write(), index, model=other_model)
    assert report.products == 21
    assert retrieval.open(index).search(image=shop.folder / "images/P-005.png")[0].id == "P-005"


def test_a_product_that_no_model_can_see_any_more_does_not_block_the_index(
    tmp_path: Path, tiny_model: str, other_model: str
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(12):
        draw_product("mug", "red", seed=number).save(folder / f"{number:016x}.png")
    retrieval.build(folder, tmp_path / "i", model=tiny_model)
    (folder / f"{3:016x}.png").unlink()
    report = retrieval.build(folder, tmp_path / "i", model=other_model)
    assert (report.products, report.removed, report.rejected) == (11, 1, 1)
    assert retrieval.open(tmp_path / "i").search(like=f"{0:016x}.png").total == 10


def test_a_damaged_generation_does_not_change_the_model(
    shop: Shop, tmp_path: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = tmp_path / "index"
    monkeypatch.setenv("RETRIEVAL_FIT", "crop")
    retrieval.build(shop.path, index, model=tiny_model)
    monkeypatch.delenv("RETRIEVAL_FIT")
    next(index.glob("generations/*/texts.faiss")).write_bytes(b"cut")
    report = retrieval.build(shop.path, index)
    assert (report.model, report.embedded) == (tiny_model, 0)
    assert retrieval.open(index).generation.manifest.fit == "crop", "nor how photos are fitted"


def test_an_index_and_its_model_can_move_together(
    shop: Shop, tmp_path: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRIEVAL_BACKEND", "torch")  # an export for each place takes seconds
    home = tmp_path / "home"
    shutil.copytree(tiny_model.removeprefix("local-dir:"), home / "model")
    retrieval.build(shop.path, home / "index", model=f"local-dir:{home}/model")
    home.rename(tmp_path / "away")
    assert retrieval.open(tmp_path / "away" / "index").search("mug").total == 20
    (tmp_path / "away" / "model").rename(tmp_path / "away" / "renamed")
    report = retrieval.build(
        shop.path, tmp_path / "away" / "index", model=f"local-dir:{tmp_path}/away/renamed"
    )
    assert report.embedded == 0
    assert retrieval.open(tmp_path / "away" / "index").search("mug").total == 20


def test_a_moved_catalog_is_not_embedded_again(
    shop: Shop, settings: Settings, watched: Watched, tmp_path: Path
) -> None:
    run(shop, settings, watched)
    watched.images = watched.texts = 0
    moved = tmp_path / "elsewhere"
    shop.folder.rename(moved)
    shop.folder, shop.path = moved, moved / "catalog.csv"
    report = run(shop, settings, watched)
    assert (watched.images, watched.texts) == (0, 0)
    hit = retrieval.open(settings.index).search("P-000", mode="lexical")[0]
    assert Path(hit.image or "").samefile(moved / "images" / "P-000.png")
    assert report.generation == 2


def test_nothing_stored_is_an_absolute_path(index: Path) -> None:
    for path in index.rglob("*"):
        if path.is_file() and path.name != ".lock.json":
            assert str(index.parent).encode() not in path.read_bytes(), path


def test_stored_vectors_are_the_encoders_own(index: Path, tiny_encoder: Encoder) -> None:
    generation = retrieval.open(index).generation
    card = next(generation.scan())
    row = card.texts[0]
    stored = generation.rows_of("texts", np.array([card.id])).vectors[0]
    np.testing.assert_allclose(stored, tiny_encoder.encode_texts([row.content])[0], atol=2e-3)
