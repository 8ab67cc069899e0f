"""What an answer holds and refuses: pages, cards, honest strength, generations."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import retrieval
from retrieval.errors import (
    ImageError,
    IndexMismatch,
    IndexMissing,
    QueryError,
)
from retrieval.searching.query import make_query, parse_weights
from tests.support.hits import ids, photo
from tests.support.shop import SAMPLES, Shop


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    limit=st.integers(1, 7),
    text=st.sampled_from(["red mug", "plate", "P-004", "nothing of the kind"]),
    mode=st.sampled_from(["vector", "lexical", "hybrid"]),
)
def test_pages_put_together_are_the_whole_list(
    catalog: Any, limit: int, text: str, mode: str
) -> None:
    whole = catalog.search(text, mode=mode, limit=100)
    pages: list[Any] = []
    while len(pages) < whole.total:
        page = catalog.search(text, mode=mode, limit=limit, offset=len(pages))
        assert page.total == whole.total
        pages += page
    assert ids(pages) == ids(whole)
    assert [hit.rank for hit in pages] == list(range(1, whole.total + 1))
    beyond = catalog.search(text, mode=mode, limit=5, offset=whole.total)
    assert (len(beyond), beyond.total) == (0, whole.total)


def test_pages_go_on_beyond_what_is_fused(catalog: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.searching.ranking.POOL", 3)
    monkeypatch.setattr("retrieval.searching.fusion.POOL", 3)
    whole = ids(catalog.search("red mug", limit=20))
    assert len(set(whole)) == 20
    paged = [ids(catalog.search("red mug", limit=1, offset=n))[0] for n in range(20)]
    assert paged == whole


def test_what_is_no_better_than_chance_is_marked(shop: Shop, catalog: Any) -> None:
    result = catalog.search(image=photo(shop, "P-002"), limit=20)
    assert result[0].strength > 0.5
    assert not result[0].weak
    assert [hit.weak for hit in result] == [hit.strength < 0.5 for hit in result]
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    strange = catalog.search(image=Image.fromarray(noise), limit=20)
    assert strange[0].strength < result[0].strength


def test_a_catalog_too_small_to_calibrate_marks_nothing(
    make_shop: Callable[..., Shop], tmp_path: Path, tiny_model: str
) -> None:
    shop = make_shop(2, "few")
    retrieval.build(shop.path, tmp_path / "i", model=tiny_model)
    result = retrieval.open(tmp_path / "i").search("mug")
    assert [(hit.strength, hit.weak) for hit in result] == [(None, False)] * 2


def test_the_model_that_is_here_must_be_the_indexs(
    index: Path, other_model: str, shop: Shop
) -> None:
    catalog = retrieval.open(index, model=other_model)
    with pytest.raises(IndexMismatch, match="retrieval index SOURCE --model"):
        catalog.search("mug")
    assert catalog.search("mug", mode="lexical").total == 5
    assert ids(catalog.search(like="P-001"))
    retrieval.build(shop.path, index, model=other_model)
    assert catalog.search("mug").total == 20, "the new generation is by the model that is here"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "nothing is asked"),
        ({"text": "  "}, "nothing is asked"),
        ({"minus": "red"}, "nothing is asked"),
        ({"text": "x", "limit": 0}, "limit"),
        ({"text": "x", "limit": 10_000}, "limit"),
        ({"text": "x", "offset": -1}, "offset"),
        ({"text": "x" * 20_000}, "characters"),
        ({"text": "\ud800"}, "Unicode"),
        ({"text": "x", "scope": "shelves"}, "products, images, texts"),
        ({"text": "x", "mode": "magic"}, "vector, lexical, hybrid"),
        ({"like": "P-000", "mode": "lexical"}, "needs words"),
        ({"like": "nobody"}, "no product 'nobody'"),
        ({"text": "x", "weights": {"txt": 1}}, "weight 'txt'"),
        ({"text": "x", "weights": {"text": -1}}, "between"),
        ({"text": "x", "weights": {"text": float("nan")}}, "between"),
        ({"text": "x", "weights": {"text": 0}}, "weight 0"),
        ({"text": "x", "where": ["price<cheap"]}, "not a number"),
        ({"text": ["x"] * 20}, "parts"),
    ],
)
def test_queries_that_make_no_sense_are_told(
    catalog: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        catalog.search(**options)
    assert "\n" not in str(caught.value)


def test_photos_that_cannot_be_read_are_told(catalog: Any, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        catalog.search(image=tmp_path / "none.jpg")
    with pytest.raises(ImageError, match="not an image"):
        catalog.search(image=b"not a photo")
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    with pytest.raises(ImageError, match=r"broken\.jpg"):
        catalog.search(image=tmp_path / "broken.jpg")


def test_weights_are_written_as_kind_equals_number() -> None:
    assert parse_weights("text=1, image=0.5") == {"text": 1.0, "image": 0.5}
    with pytest.raises(QueryError, match="KIND=NUMBER"):
        parse_weights("text=much")


def test_photos_alone_are_searched_by_vectors_only() -> None:
    assert make_query(image=b"x").mode == "vector"
    assert make_query(text="x", scope="images").mode == "vector"
    assert make_query(text="x", image=b"x").mode == "hybrid"


def test_the_answer_is_json_with_the_promised_keys(catalog: Any) -> None:
    answer = catalog.search("red mug", limit=2, where={"price": {"<": 100}}).as_dict()
    assert {"query", "mode", "took_ms", "total", "generation", "results"} <= set(answer)
    promised = {"rank", "id", "title", "score", "image", "matched", "category", "brand", "price"}
    assert promised <= set(answer["results"][0])
    assert answer["query"]["where"] == ["price<100"]


def test_a_product_is_shown_whole(shop: Shop, catalog: Any) -> None:
    card = catalog.product("P-002")
    assert (card.title, card.price) == (shop.rows["P-002"]["title"], 12.0)
    assert card.attributes == {"colour": "red"}
    with pytest.raises(QueryError):
        catalog.product("nobody")


def test_where_there_is_no_index_it_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(IndexMissing, match="retrieval index SOURCE"):
        retrieval.open(tmp_path / "none")


def test_an_index_behind_a_link_gives_photos_that_open(index: Path, tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "link").symlink_to(index)
    hit = retrieval.open(tmp_path / "deep" / "er" / "link").search(like="P-003")[0]
    assert Path(hit.image).is_file()


def test_a_reader_notices_an_index_made_anew(
    index: Path, make_shop: Callable[..., Shop], tiny_model: str
) -> None:
    """Deleted and made again it has the same number, and nothing else in common."""
    catalog = retrieval.open(index)
    assert catalog.search("P-000", mode="lexical")[0].id == "P-000"
    for path in sorted(index.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    other = make_shop(3, "other")
    other.rows = {f"Q{key}": {**row, "id": f"Q{key}"} for key, row in other.rows.items()}
    retrieval.build(other.write(), index, model=tiny_model)
    assert catalog.search("mug", mode="lexical")[0].id == "QP-000"


def test_beside_a_photo_what_is_like_it_is_not_weak(samples_index: Path) -> None:
    """A backpack and "red": another backpack is a match, a toaster that says red is none."""
    opened = retrieval.open(samples_index)
    photo = SAMPLES / "images" / "backpack-bp-6500-olic.jpg"
    found = {hit.id: hit for hit in opened.search("red", image=photo, limit=60)}
    assert not found["BP-6500-OLIC"].weak
    far = [hit for hit in found.values() if hit.category in ("Toasters", "Mugs", "Hats")]
    assert far and all(hit.weak for hit in far)


def test_what_is_remembered_may_be_forgotten_while_others_read_it(index: Path) -> None:
    """A full memory is emptied at once; searches in other threads must not trip over it."""
    from retrieval.storage.folder import snapshot

    generation = retrieval.open(index).generation
    faults: list[str] = []

    def ask(number: int) -> None:
        for turn in range(60):
            try:
                words = [f"mug{(number + turn) % 5}", "mug"]
                assert generation.document_frequency(words)["mug"] == 5
                assert len(generation.cards(range(1, 8))) == 7
            except Exception as error:
                faults.append(repr(error))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(snapshot, "KEPT_COUNTS", 0)
        patch.setattr(snapshot, "KEPT_CARDS", 0)
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert faults == []
