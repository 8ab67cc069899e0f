"""Derived files can be lost: rebuild and rollback make them good, and old ones go."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import retrieval
from retrieval.common.progress import Quiet
from retrieval.errors import IndexDamaged, IndexMissing, QueryError
from retrieval.indexing.maintenance import list_generations, rebuild, rollback, verify
from retrieval.settings import Settings, load_settings
from retrieval.storage.folder.generation_folders import Generations
from tests.support.damage import generation, problems, query
from tests.support.shop import Shop


@pytest.mark.parametrize("kind", ["auto", "flat", "sq8", "hnsw", "ivf", "ivf-sq8", "ivf-pq4"])
def test_rebuilt_as_any_type_it_verifies_and_finds(made: Settings, shop: Shop, kind: str) -> None:
    report = rebuild(made, Quiet(), kind)
    assert report.generation == 2
    assert (report.products, report.vectors) == (20, 20 + 60)
    assert report.recall >= 0.98
    assert report.index_type == ("flat" if kind == "auto" else kind)
    assert problems(made) == []
    found = retrieval.open(made.index).search(image=shop.folder / "images/P-009.png")
    assert found[0].id == "P-009"


def test_a_damaged_generation_is_refused_with_the_command_that_mends_it(
    made: Settings,
) -> None:
    (generation(made) / "images.faiss").write_bytes(b"short")
    with pytest.raises(IndexDamaged, match="retrieval verify --repair"):
        retrieval.open(made.index)


def test_a_manifest_of_another_format_asks_for_a_rebuild(made: Settings) -> None:
    path = generation(made) / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    with pytest.raises(IndexDamaged, match="retrieval rebuild"):
        retrieval.open(made.index)
    rebuild(made, Quiet())
    retrieval.open(made.index)


def test_rollback_shows_the_catalog_of_its_time(
    shop: Shop, made: Settings, tiny_model: str
) -> None:
    shop.rows["P-000"]["title"] = "Renamed thing"
    del shop.rows["P-001"]
    retrieval.build(shop.write(), made.index, model=tiny_model, prune=True)
    catalog = retrieval.open(made.index)
    assert catalog.search("renamed", mode="lexical").total == 1
    assert rollback(made) == 1
    assert catalog.search("renamed", mode="lexical").total == 0
    assert catalog.product("P-001").id == "P-001"
    assert catalog.search(image=shop.folder / "images/P-001.png")[0].id == "P-001"
    assert rollback(made, 2) == 2
    assert catalog.search("renamed", mode="lexical").total == 1


def test_after_a_rollback_the_next_run_publishes_what_the_catalog_holds(
    shop: Shop, made: Settings, tiny_model: str
) -> None:
    shop.rows["P-000"]["title"] = "Renamed thing"
    retrieval.build(shop.write(), made.index, model=tiny_model)
    rollback(made)
    report = retrieval.build(shop.path, made.index, model=tiny_model)
    assert (report.updated, report.generation) == (0, 3)
    assert retrieval.open(made.index).search("renamed", mode="lexical").total == 1


def test_rollback_refuses_what_is_not_there(made: Settings) -> None:
    with pytest.raises(IndexMissing, match="before 1"):
        rollback(made)
    with pytest.raises(QueryError, match="no generation 7"):
        rollback(made, 7)
    rebuild(made, Quiet())
    (Generations(made.index).folder(1) / "images.faiss").unlink()
    with pytest.raises(IndexDamaged):
        rollback(made)
    assert list_generations(made)["current"] == 2


def test_old_generations_are_dropped_but_never_the_live_one(made: Settings) -> None:
    for _ in range(4):
        rebuild(made, Quiet())
    assert Generations(made.index).numbers() == [3, 4, 5]
    rollback(made, 3)
    assert Generations(made.index).drop_old(1) == [4]
    assert Generations(made.index).numbers() == [3, 5]
    assert retrieval.open(made.index).search("mug", mode="lexical").generation == 3


def test_generations_are_listed_also_damaged_ones(made: Settings) -> None:
    rebuild(made, Quiet())
    (Generations(made.index).folder(1) / "manifest.json").write_text("?")
    listed = list_generations(made)
    assert listed["current"] == 2
    assert [(row["generation"], row["ok"]) for row in listed["generations"]] == [
        (1, False),
        (2, True),
    ]


def test_where_nothing_was_indexed_there_is_nothing_to_rebuild(tmp_path: Path) -> None:
    settings = load_settings(index=tmp_path / "none")
    for attempt in (rebuild, verify):
        with pytest.raises(IndexMissing, match="retrieval index"):
            attempt(settings, Quiet())  # type: ignore[operator]


def test_a_rollback_is_no_damage_and_repair_leaves_it(made: Settings) -> None:
    rebuild(made, Quiet())
    query(made, "UPDATE state SET value = value + 1")
    rollback(made)
    assert problems(made) == []
    assert verify(made, Quiet(), repair=True).repaired == ()
    assert list_generations(made)["current"] == 1


def test_the_type_that_was_chosen_stays(made: Settings, shop: Shop, tiny_model: str) -> None:
    rebuild(made, Quiet(), "hnsw")
    shop.rows["P-000"]["title"] = "Renamed"
    retrieval.build(shop.write(), made.index, model=tiny_model)
    assert retrieval.open(made.index).generation.manifest.index_type == "hnsw"
    assert rebuild(made, Quiet()).index_type == "hnsw"
    assert rebuild(made, Quiet(), "auto").index_type == "flat"


def test_a_catalog_beyond_its_budget_of_memory_is_compressed(
    make_shop: Callable[..., Shop], tmp_path: Path, tiny_model: str
) -> None:
    small = load_settings(index=tmp_path / "small", model=tiny_model, index_memory_mb=0.01)
    retrieval.build(make_shop(60).path, small.index, tiny_model)
    assert rebuild(small, Quiet()).index_type == "ivf-pq4"
    assert retrieval.open(small.index).search("red mug", limit=3)
    assert rebuild(small.model_copy(update={"index_memory_mb": 1}), Quiet()).index_type == "flat"


def test_an_update_changes_the_live_index_and_a_rebuild_makes_it_anew(
    shop: Shop, tmp_path: Path, tiny_model: str
) -> None:
    made = load_settings(index=tmp_path / "big", model=tiny_model, index_type="ivf-pq4")
    for number in range(60):
        shop.add(f"Q-{number}", "mug", "red")
    retrieval.build(shop.write(), made.index, tiny_model, index_type="ivf-pq4")
    shop.rows.pop("Q-7")
    shop.rows["Q-8"]["title"] = "Another name"
    retrieval.build(shop.write(), made.index, tiny_model, index_type="ivf-pq4", prune=True)
    entry = retrieval.open(made.index).generation.manifest.galleries["images"]
    assert entry.vectors == 79 and entry.built == 80 and entry.changed == 1
    faiss_file = made.index / "generations" / "2" / "images.faiss"
    faiss_file.write_bytes(faiss_file.read_bytes()[:-1] + b"?")
    shop.rows.pop("Q-9")
    retrieval.build(shop.write(), made.index, tiny_model, index_type="ivf-pq4", prune=True)
    entry = retrieval.open(made.index).generation.manifest.galleries["images"]
    assert (entry.built, entry.changed) == (78, 0), "a damaged index is not carried on"
    rebuild(made, Quiet())
    assert retrieval.open(made.index).search(like="Q-8", limit=5).total == 77
