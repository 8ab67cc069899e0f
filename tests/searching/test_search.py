"""Words, photos, likeness, both at once; filters; pages; one card a product; honest strength."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
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
    NotFound,
    QueryError,
)
from retrieval.searching.fusion import RankedList, by_spread, by_words, fuse, nothing
from retrieval.searching.lexical import most_bm25
from retrieval.searching.query import make_query, parse_weights
from retrieval.storage.folder.fts5 import match_expression
from tests.support.shop import SAMPLES, Shop


def ids(result: Any) -> list[str]:
    return [hit.id for hit in result]


def photo(shop: Shop, key: str) -> Path:
    return shop.folder / shop.rows[key]["image"]


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


def test_like_a_product_needs_no_model_and_leaves_it_out(
    catalog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_model(*_: Any) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr("retrieval.searching.query_encoder.load_encoder", no_model)
    result = catalog.search(like="P-003", limit=50)
    assert "P-003" not in ids(result)
    assert len(result) == result.total == 19
    catalog.search("red mug", mode="lexical")
    with pytest.raises(AssertionError):
        catalog.search("red mug")


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


def test_equal_scores_stand_by_id(shop: Shop, tmp_path: Path, tiny_model: str) -> None:
    for key in shop.rows:
        shop.rows[key]["image"] = "images/P-000.png"
    retrieval.build(shop.write(), tmp_path / "i", model=tiny_model)
    result = retrieval.open(tmp_path / "i").search(image=photo(shop, "P-000"), limit=20)
    assert ids(result) == sorted(shop.rows)
    assert len({hit.score for hit in result}) == 1


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
