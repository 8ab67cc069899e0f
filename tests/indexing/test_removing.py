"""Products removed by their ids are gone at once, and stay away until their row changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import retrieval
from retrieval.common.progress import Quiet
from retrieval.errors import IndexMissing, NotFound
from retrieval.indexing.maintenance import rebuild, remove
from retrieval.settings import Settings, load_settings
from tests.support.commands import answer, run
from tests.support.damage import problems
from tests.support.shop import Shop
from web import create_app

GONE = ("P-003", "P-008")


def ids(settings: Settings) -> set[str]:
    return {hit.id for hit in retrieval.open(settings.index).search("number", limit=50)}


def test_removed_by_its_id_a_product_is_gone_at_once(made: Settings) -> None:
    catalog = retrieval.open(made.index)
    assert len(catalog.search("number", limit=50)) == 20
    report = remove(made, Quiet(), ["P-003", "nobody", "P-008", "P-003"])
    assert report.removed == GONE and report.unknown == ("nobody",) and report.generation == 2
    assert {hit.id for hit in catalog.search("number", limit=50)} == ids(made)
    assert len(ids(made)) == 18 and not ids(made) & set(GONE)
    assert problems(made) == []
    rebuild(made, Quiet())
    assert not ids(made) & set(GONE)


def test_it_stays_away_until_its_row_changes(made: Settings, shop: Shop, tiny_model: str) -> None:
    remove(made, Quiet(), GONE)
    for _ in range(2):
        report = retrieval.build(shop.path, made.index, model=tiny_model)
        assert (report.kept_away, report.added, report.products) == (2, 0, 18)
    shop.rows["P-003"]["price"] = "77"
    report = retrieval.build(shop.write(), made.index, model=tiny_model)
    assert (report.kept_away, report.added, report.products) == (1, 1, 19)
    assert ids(made) >= {"P-003"} and "P-008" not in ids(made)
    shop.rows["P-003"]["price"] = "78"
    report = retrieval.build(shop.write(), made.index, model=tiny_model)
    assert report.kept_away == 1 and report.updated == 1, "it is a product like any other again"


def test_nothing_is_changed_where_there_is_none_of_them(made: Settings, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="'nobody'"):
        remove(made, Quiet(), ["nobody"])
    assert retrieval.open(made.index).generation.manifest.generation == 1
    with pytest.raises(IndexMissing):
        remove(load_settings(index=tmp_path / "none"), Quiet(), ["P-003"])


def test_the_command_tells_what_it_removed_and_what_was_not_there(made: Settings) -> None:
    index = ("--index", made.index)
    assert answer(run("remove", "P-003", "P-008", "--json", *index)) == {
        "removed": list(GONE),
        "generation": 2,
    }
    some = run("remove", "P-000", "nobody", *index)
    assert some.exit_code == 3 and "no product 'nobody'" in some.stderr and "P-000" in some.stdout
    assert run("remove", *index).exit_code == 2
    assert isinstance(run("remove", "P-003", *index).exception, NotFound)


def test_programs_remove_with_the_token(made: Settings) -> None:
    app = create_app(load_settings(index=made.index, token="secret"))
    app.extensions["site"].warm()
    client: Any = app.test_client()
    address, allowed = "/api/v1/products/P-003", {"Authorization": "Bearer secret"}
    assert client.get(address).status_code == 200
    assert client.delete(address).status_code == 401
    assert client.delete(address, headers=allowed).status_code == 204
    assert client.get(address).status_code == 404
    assert client.delete(address, headers=allowed).status_code == 404
    found = client.get("/api/v1/search?q=number&limit=50").get_json()["results"]
    assert len(found) == 19
