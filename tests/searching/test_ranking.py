"""Words, photos and likeness, alone and together: what stands first, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import retrieval
from retrieval.errors import (
    NotFound,
    QueryError,
)
from retrieval.searching.fusion import RankedList, by_spread, by_words, fuse, nothing
from retrieval.searching.lexical import most_bm25
from retrieval.storage.folder.fts5 import match_expression
from tests.support.hits import ids, photo
from tests.support.models import no_model
from tests.support.shop import Shop


def test_a_photo_finds_its_product_as_file_bytes_or_picture(shop: Shop, catalog: Any) -> None:
    path = photo(shop, "P-007")
    for image in (path, str(path), path.read_bytes(), Image.open(path)):
        result = catalog.search(image=image, limit=3)
        assert result[0].id == "P-007"
        assert result[0].matched.kind == "image"
        assert result[0].matched.cosine == pytest.approx(1, abs=1e-3)
        assert Path(result[0].image).samefile(path)
    assert result.mode == "vector"
    assert result.total == 20


def test_the_best_of_a_products_photos_speaks_for_it(
    shop: Shop, tmp_path: Path, tiny_model: str
) -> None:
    shop.rows["P-000"]["image"] = "images/P-000.png|images/P-001.png|images/P-002.png"
    retrieval.build(shop.write(), tmp_path / "i", model=tiny_model)
    result = retrieval.open(tmp_path / "i").search(image=photo(shop, "P-002"), limit=30)
    assert ids(result)[:2] == ["P-000", "P-002"], "equal scores stand by id"
    assert result[0].matched.image.endswith("P-002.png")
    assert len(set(ids(result))) == len(result) == 20, "one card a product"


def test_a_description_finds_its_product_by_words_and_by_vector(shop: Shop, catalog: Any) -> None:
    wanted = shop.rows["P-011"]["description"]
    for mode in ("vector", "lexical", "hybrid"):
        result = catalog.search(wanted, mode=mode, limit=5, scope="texts")
        assert result[0].id == "P-011", mode
        assert result.mode == mode
    assert catalog.search(wanted).mode == "hybrid", "hybrid is the default for words"
    matched = catalog.search(wanted, mode="vector", scope="texts")[0].matched
    assert (matched.kind, matched.field, matched.text) == ("text", "description", wanted)


def test_an_id_typed_finds_its_product(catalog: Any) -> None:
    for typed in ("P-013", "p-013", " P-013 "):
        hit = catalog.search(typed)[0]
        assert (hit.id, hit.score, hit.weak) == ("P-013", 1.0, False)


def test_an_id_typed_does_not_get_round_a_filter(catalog: Any) -> None:
    result = catalog.search("P-013", where={"id": "P-001"})
    assert ids(result) == ["P-001"]


def test_like_a_product_needs_no_model_and_leaves_it_out(catalog: Any) -> None:
    with no_model():
        result = catalog.search(like="P-003", limit=50)
        catalog.search("red mug", mode="lexical")
        with pytest.raises(AssertionError):
            catalog.search("red mug")
    assert "P-003" not in ids(result)
    assert len(result) == result.total == 19


def test_like_matches_the_photos_own_neighbours(shop: Shop, catalog: Any) -> None:
    by_photo = [key for key in ids(catalog.search(image=photo(shop, "P-003"))) if key != "P-003"]
    assert ids(catalog.search(like="P-003"))[:5] == by_photo[:5]


def test_several_photos_are_one_query_between_them(shop: Shop, catalog: Any) -> None:
    """By brute force over the stored vectors: each photo's cosines, brought to one spread."""
    keys = ("P-002", "P-009")
    result = catalog.search(image=[photo(shop, key) for key in keys], limit=20)
    generation = catalog.generation
    products = generation.product_ids([f"P-{row:03d}" for row in range(20)])
    stored = generation.rows_of("images", products).vectors.astype(np.float64)
    rows = [int(key.removeprefix("P-")) for key in keys]
    cosines = stored @ stored[rows].T
    expected = (cosines / cosines.std(axis=0)).sum(axis=1)
    assert ids(result)[:5] == [f"P-{row:03d}" for row in np.argsort(-expected)[:5]]


def test_weights_move_a_composed_query(shop: Shop, catalog: Any) -> None:
    image, words = photo(shop, "P-004"), shop.rows["P-015"]["description"]

    def place(key: str, **weights: float) -> int:
        found = catalog.search(words, image=image, weights=weights, mode="vector", limit=20)
        return ids(found).index(key)

    assert place("P-004", text=0, image=1) == 0
    assert place("P-015", text=1, image=0, like=0) < place("P-015", text=0, image=1)


def test_minus_pushes_away(shop: Shop, catalog: Any) -> None:
    unwanted = shop.rows["P-006"]["description"]
    plain = catalog.search("green bottle", scope="texts", mode="vector", limit=20)
    without = catalog.search(
        "green bottle", minus=unwanted, weights={"minus": 2}, scope="texts", mode="vector", limit=20
    )
    assert ids(without).index("P-006") > ids(plain).index("P-006")
    lexical = catalog.search("mug", minus="red", mode="lexical", limit=20)
    assert lexical.total == 4
    assert "P-000" not in ids(lexical)


def test_filters_hold_in_every_mode(shop: Shop, catalog: Any) -> None:
    reds = {key for key, row in shop.rows.items() if row["colour"] == "red"}
    for mode in ("vector", "lexical", "hybrid"):
        result = catalog.search("a mug, plate, box or bottle", mode=mode, where={"colour": "red"})
        assert set(ids(result)) == reds, mode
        assert result.total == len(reds)
    image = catalog.search(image=photo(shop, "P-000"), where=["price<12"])
    assert set(ids(image)) == {"P-000", "P-001"}
    nothing = catalog.search("mug", where={"colour": "no such"})
    assert (len(nothing), nothing.total) == (0, 0)


def test_equal_scores_stand_by_id(shop: Shop, tmp_path: Path, tiny_model: str) -> None:
    for key in shop.rows:
        shop.rows[key]["image"] = "images/P-000.png"
    retrieval.build(shop.write(), tmp_path / "i", model=tiny_model)
    result = retrieval.open(tmp_path / "i").search(image=photo(shop, "P-000"), limit=20)
    assert ids(result) == sorted(shop.rows)
    assert len({hit.score for hit in result}) == 1


def ranked(*products: int, scores: Sequence[float] = (), floor: float = 0.0) -> RankedList:
    """Products in this order, by scores that fall evenly where none are given."""
    falling = scores or np.arange(len(products), 0, -1.0)
    return RankedList(np.array(products), np.array(falling), np.array(products), floor)


@given(lists=st.lists(st.permutations(list(range(8))).map(lambda p: p[:6]), min_size=1, max_size=3))
def test_fusion_prefers_what_stands_higher_everywhere(lists: list[list[int]]) -> None:
    named = {str(n): ranked(*order) for n, order in enumerate(lists)}
    fused = fuse(named, dict.fromkeys(named, 0.5))
    products, scores = fused.products, fused.scores
    assert set(products) == {product for order in lists for product in order}
    assert (np.diff(scores) <= 0).all() and scores[0] <= 1
    place = {int(product): rank for rank, product in enumerate(products)}
    for a in range(8):
        for b in range(8):
            ranks = [
                (order.index(a), order.index(b) if b in order else 99)
                for order in lists
                if a in order
            ]
            if len(ranks) == len(lists) and all(first < second for first, second in ranks):
                assert b not in place or place[a] < place[b]


def test_first_in_every_list_scores_one() -> None:
    lists = {"a": ranked(4, 1), "b": ranked(4, 2)}
    fused = fuse(lists, {"a": 2.0, "b": 2.0})
    assert (fused.products[0], fused.scores[0]) == (4, 1.0)
    assert fused.products[1:].tolist() == [1, 2], "equal scores stand by id"
    assert len(fuse({}, {})) == 0
    assert fuse({"a": ranked(3, scores=[0.2], floor=0.2)}, {"a": 1.0}).scores == [1.0]


def test_a_clear_match_counts_more_than_the_best_of_many_alike() -> None:
    """By ranks alone both would be first in one list and second in the other."""
    texts = ranked(1, 2, 3, scores=[9.0, 4.0, 3.9], floor=3.9)
    photos = ranked(2, 1, 3, scores=[2.1, 2.0, 1.9], floor=1.9)
    fused = fuse({"texts": texts, "images": photos}, {"texts": 1.0, "images": 1.0})
    assert fused.products.tolist() == [1, 2, 3]


def test_what_a_list_does_not_hold_counts_as_its_last() -> None:
    """Else the last of a long list would be far ahead of what was just cut off."""
    lists = {"texts": ranked(1, 2, scores=[9.0, 8.9], floor=8.9), "words": ranked(3, scores=[1.0])}
    fused = fuse(lists, {"texts": 1.0, "words": 1.0})
    assert fused.products.tolist() == [3, 1, 2]
    assert fused.scores.tolist() == pytest.approx([1 / 1.1, 0.1 / 1.1, 0], abs=1e-6)


def test_lists_are_cut_and_brought_to_one_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.searching.fusion.POOL", 3)
    cut = by_spread(ranked(*range(5), scores=[0.9, 0.8, 0.6, 0.5, 0.4]), spread=0.1)
    assert cut.products.tolist() == [0, 1, 2] and cut.floor == pytest.approx(6)
    assert cut.scores.tolist() == pytest.approx([9, 8, 6])
    assert len(fuse({"none": by_spread(nothing(), 1)}, {"none": 1})) == 0

    some = by_words(ranked(4, 3, 2, 1, scores=[0.9, 0.7, 0.6, 0.5]), complete=2, near=None)
    assert some["words"].products.tolist() == [4, 3, 2] and some["words"].floor == 0.6
    assert some["every word"].products.tolist() == [4, 3] and some["every word"].floor == 0
    alike = by_words(ranked(4, 3, 2, 1, scores=[0.7] * 4), complete=4, near=None)
    assert len(alike["words"]) == 3 and (alike["words"].scores == alike["words"].floor).all()
    assert (alike["every word"].scores == alike["every word"].floor).all()
    near = by_words(ranked(4, 3, 2, 1, scores=[0.7] * 4), complete=4, near=np.array([1, 9]))
    assert near["words"].products.tolist() == [1] and near["words"].floor == 0


def test_who_wants_no_wall_clock_may_want_a_clock() -> None:
    assert (
        match_expression(["clock"], ("wall clock",), every=True) == '("clock") NOT ("wall clock")'
    )
    assert match_expression(["mug"], ("red", "!?"), every=False) == '("mug") NOT ("red")'
    assert match_expression(["mug"], ("!?",), every=False) == '"mug"'


def test_a_word_that_all_have_tells_nothing() -> None:
    counts = {"lamp": 100, "brass": 2}
    rare, common = most_bm25(["brass"], counts, 100), most_bm25(["lamp"], counts, 100)
    assert rare > 8 and common == 2.2
    assert most_bm25(["brass", "lamp"], counts, 100) == rare
    assert most_bm25([], counts, 0) == 2.2


def test_what_has_every_word_comes_first_by_words(catalog: Any) -> None:
    found = catalog.search("red number nobody", mode="lexical", limit=50)
    assert 0 < found[0].score < 0.5, "none has every word"
    found = catalog.search("red number", mode="lexical", limit=50)
    red = ["red" in f"{hit.title} {hit.attributes}" for hit in found]
    assert any(red) and not all(red)
    assert all((hit.score >= 0.5) == has for hit, has in zip(found, red, strict=True))


def test_words_alone_are_counted_to_the_last(
    make_shop: Callable[..., Shop], tmp_path: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("retrieval.searching.ranking.POOL", 5)
    monkeypatch.setattr("retrieval.searching.fusion.POOL", 5)
    shop = make_shop(30)
    retrieval.build(shop.path, tmp_path / "i", model=tiny_model)
    catalog = retrieval.open(tmp_path / "i")
    assert catalog.search("number", mode="lexical").total == 30
    assert len(catalog.search("number", mode="lexical", offset=28)) == 2
    assert catalog.search("number", mode="lexical", where={"colour": "blue"}).total == 6


def test_equal_words_stand_by_id(tmp_path: Path, tiny_model: str) -> None:
    shop = Shop(tmp_path / "s")
    for key in ("z", "a", "m"):
        shop.add(key, "mug", "red", title="Mug", description="", image="")
    retrieval.build(shop.write(), tmp_path / "i", model=tiny_model)
    assert ids(retrieval.open(tmp_path / "i").search("mug", mode="lexical")) == ["a", "m", "z"]


def test_a_picture_is_seen_like_its_file(catalog: Any) -> None:
    clear = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    white = Image.new("RGB", (40, 40), "white")
    scores = [[hit.score for hit in catalog.search(image=image)] for image in (clear, white)]
    assert scores[0] == scores[1]


def test_weight_0_silences_the_words(catalog: Any) -> None:
    by_likeness = ids(catalog.search(like="P-003"))
    assert ids(catalog.search("mug", like="P-003", weights={"text": 0})) == by_likeness


def test_unlike_keeps_away_from_a_product_and_what_looks_like_it(catalog: Any) -> None:
    plain = [hit.id for hit in catalog.search(like="P-000", limit=19)]
    nearest = plain[0]
    pushed = [hit.id for hit in catalog.search(like="P-000", unlike=nearest, limit=19)]
    assert nearest not in pushed and len(pushed) == 18
    assert catalog.search(like="P-000", unlike=nearest).query["unlike"] == [nearest]
    with pytest.raises(QueryError, match="nothing is asked"):
        catalog.search(unlike="P-000")
    with pytest.raises(NotFound):
        catalog.search(text="mug", unlike="NOPE")
