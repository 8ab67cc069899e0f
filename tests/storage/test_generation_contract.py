"""What any engine's generation answers: neighbours, words, filters, fields, and all that is shown.

Asked through the interface alone. Most vectors are such that cosines are exact, and tie often.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.common.products import PRODUCT_FIELDS
from retrieval.common.text import folded
from retrieval.settings import INDEX_TYPES
from retrieval.storage.base import DECIMALS, Condition, Generation
from retrieval.storage.entities import MODALITIES, Card, Matches, Modality
from retrieval.storage.filters import filters_from
from tests.storage.conftest import Engine
from tests.support.storage import DIM, ENCODER, MadeUp, drawn, make_live, quarters, write

# In the order of their code points; not that of their primary keys, nor of any language.
IDS = ["10", "9", "B", "SKU-10/2 b", "Z", "a", "a-1", "b", "z", "Ä", "ä", "ß", "椅子", "🪑"]
STRANGE = 10**15
QUERIES = [quarters(f"query {number}") for number in range(4)]


def of(*numbers: int) -> Any:
    return np.array(numbers, dtype=np.int64)


def shop() -> list[MadeUp]:
    """Products with up to four photos and three texts, in no order; some have none of a kind."""
    order = np.random.default_rng(3).permutation(len(IDS))
    products = []
    for number, place in enumerate(order.tolist()):
        key = IDS[place]
        # Photos of several products are the same few: their scores tie.
        photos = {f"{key}/{n}.jpg": quarters(f"photo {(place + n) % 5}") for n in range(place % 5)}
        texts = ["", f"Chair {place % 3}", f"Table {place % 3}"]
        products.append(
            MadeUp(
                key,
                title=texts[place % 3] if photos else "Nothing but words",
                description="" if place % 2 else f"Number {number}, of beech",
                category="Chairs" if place % 2 else "Tables",
                price=float(place),
                attributes={"colour": "red", "finish": "oiled"} if place % 4 == 1 else {},
                photos=photos,
            )
        )
    for product in products:
        product.texts = {
            content: quarters(f"text {len(content) % 4}") for _, content in product.record.texts
        }
    return products


@dataclass
class Truth:
    """A generation, and all of its rows as `rows_of` and `scan` tell them."""

    generation: Generation

    def __post_init__(self) -> None:
        self.cards: dict[int, Card] = {card.id: card for card in self.generation.scan()}
        self.rows = {
            modality: self.generation.rows_of(modality, of(*self.cards)) for modality in MODALITIES
        }

    def key(self, product: int) -> str:
        return self.cards[product].key

    def id(self, key: str) -> int:
        return next(card.id for card in self.cards.values() if card.key == key)

    def nearest(
        self, modality: Modality, query: Any, count: int, allowed: Sequence[int] | None = None
    ) -> list[tuple[int, int, float]]:
        """(row, product, score), by brute force."""
        rows = self.rows[modality]
        cosines = rows.vectors.astype(np.float64) @ np.asarray(query, dtype=np.float64)
        scored = zip(rows.ids.tolist(), rows.products.tolist(), cosines, strict=True)
        found = [
            (row, product, round(float(score), DECIMALS))
            for row, product, score in scored
            if allowed is None or product in allowed
        ]
        found.sort(key=lambda hit: (-hit[2], self.key(hit[1]), hit[0]))
        if count and len(found) > count:
            found = [hit for hit in found if hit[2] >= found[count - 1][2]]
        return found[: None if count else 0]


def listed(matches: Matches) -> list[tuple[int, int, float]]:
    assert len(matches.ids) == len(matches.products) == len(matches.scores) == len(matches.order)
    assert matches.scores.dtype == np.float64
    return list(
        zip(matches.ids.tolist(), matches.products.tolist(), matches.scores.tolist(), strict=True)
    )


@pytest.fixture(scope="module")
def truth(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Truth:
    storage = engine.at(tmp_path_factory.mktemp("shop"))
    with storage.writing(create=True) as catalog:
        # So that photos do not stand by their primary keys.
        turned = [dict(reversed(product.photos.items())) for product in shop()]
        write(catalog, [replace(p, photos=t) for p, t in zip(shop(), turned, strict=True)])
    return Truth(make_live(storage, shop()))


@pytest.fixture
def generation(truth: Truth) -> Generation:
    return truth.generation


# What is nearest


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("modality", MODALITIES)
def test_a_search_finds_what_brute_force_finds_with_all_ties(
    truth: Truth, modality: Modality, exact: bool
) -> None:
    total = len(truth.rows[modality])
    for query, count in itertools.product(QUERIES, [1, 2, 3, 7, total - 1, total, total + 10]):
        matches = truth.generation.nearest(modality, query, count, exact=exact)
        best = truth.nearest(modality, query, count)
        assert listed(matches)[: len(best)] == best, "at least the best, and all that tie"
        assert listed(matches) == truth.nearest(modality, query, total)[: len(matches)]
        tail = truth.nearest(modality, query, total)[len(matches) :]
        assert not tail or tail[0][2] < matches.scores[-1], "no tie is cut in two"
        assert matches.complete == (len(matches) == total)


def test_scores_of_any_vectors_are_those_of_brute_force(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    products = [MadeUp(f"P{n}", title=f"Thing {n}", photos={f"{n}.jpg": None}) for n in range(40)]
    truth = Truth(make_live(engine.at(tmp_path_factory.mktemp("drawn")), products))
    for modality, number in itertools.product(MODALITIES, range(5)):
        query = drawn(f"query {number}")
        matches = truth.generation.nearest(modality, query, 40)
        expected = truth.nearest(modality, query, 40)
        assert np.allclose(matches.scores, [score for *_, score in expected], atol=2e-6)
        assert np.array_equal(matches.scores, matches.scores.round(DECIMALS))
        assert np.all(np.diff(matches.scores) <= 0)
        scores = truth.generation.scores(modality, query[None], matches.ids)
        assert np.array_equal(scores[0], matches.scores), "why it was found is why it stands there"


def test_equal_scores_stand_by_the_code_points_of_product_ids(truth: Truth) -> None:
    matches = truth.generation.nearest("images", QUERIES[0], 1_000)
    keys = [truth.key(product) for product in matches.products.tolist()]
    for _, group in itertools.groupby(
        zip(matches.scores, keys, strict=True), key=lambda pair: pair[0]
    ):
        tied = [key for _, key in group]
        assert tied == sorted(tied)
    by_order = np.lexsort((matches.order,))
    assert [keys[place] for place in by_order] == sorted(keys), "whatever `order` is made of"


@pytest.mark.parametrize("modality", MODALITIES)
def test_under_a_condition_only_what_is_allowed_is_found(truth: Truth, modality: Modality) -> None:
    generation = truth.generation
    condition = generation.condition(filters_from("category=Chairs"), without=of(truth.id("B")))
    allowed = [
        card.id for card in truth.cards.values() if card.category == "Chairs" and card.key != "B"
    ]
    available = len(truth.nearest(modality, QUERIES[0], 1_000, allowed))
    for query, count, exact in itertools.product(QUERIES, [1, 3, 1_000], [False, True]):
        matches = generation.nearest(modality, query, count, condition, exact=exact)
        best = truth.nearest(modality, query, count, allowed)
        assert listed(matches)[: len(best)] == best
        assert listed(matches) == truth.nearest(modality, query, 1_000, allowed)[: len(matches)]
        assert matches.complete == (len(matches) == available)
    none = generation.condition(filters_from("category=Chairs"), without=of(*truth.cards))
    matches = generation.nearest(modality, QUERIES[0], 5, none)
    assert (len(matches), matches.complete) == (0, True)


def clustered(count: int) -> Any:
    """Vectors (count, DIM) in clusters so wide that approximate types miss some of them; each
    tenth is there twice."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(20, DIM))
    vectors = centres[random.integers(0, 20, count)] + 2.0 * random.normal(size=(count, DIM))
    vectors[1::10] = vectors[::10]
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def of_each_type(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Generation]:
    """The same catalog, published once as each type; all of them stay open."""
    vectors = clustered(3_000)
    products = [
        MadeUp(
            f"{number * 7_919 % 1_500:04d}",
            attributes={"side": "left" if number % 3 else "right"},
            photos={f"{number}-{n}.jpg": vectors[2 * number + n] for n in range(2)},
        )
        for number in range(1_500)
    ]
    storage = engine.at(tmp_path_factory.mktemp("types"), keep_generations=len(INDEX_TYPES))
    make_live(storage, products, index_type="flat")
    types = {kind: make_live(storage, index_type=kind) for kind in INDEX_TYPES}
    assert [each.manifest.galleries["images"].index_type for each in types.values()] == [*types]
    return types


@pytest.mark.parametrize("kind", INDEX_TYPES)
@pytest.mark.parametrize("filtered", [False, True])
def test_a_longer_list_begins_with_the_shorter_one(
    of_each_type: dict[str, Generation], kind: str, filtered: bool
) -> None:
    generation = of_each_type[kind]
    condition = generation.condition(filters_from("side=left")) if filtered else None
    total = 2_000 if filtered else 3_000
    for query in (*clustered(40)[::20].astype(np.float32), drawn("far from all of them")):
        whole = generation.nearest("images", query, total, condition)
        assert len(whole) == len(set(whole.ids.tolist())) == total
        assert whole.complete
        scores = generation.scores("images", query[None], whole.ids)[0]
        assert np.array_equal(scores, whole.scores), "exact, whatever proposed them"
        if condition is not None:
            assert generation.allows(condition, whole.products).all()
        for depth in (1, 10, 60, 500, 1_000, 1_001, 1_400, total // 2 + 400, total - 1):
            shorter = generation.nearest("images", query, depth, condition)
            assert len(shorter) >= depth
            assert listed(shorter) == listed(whole)[: len(shorter)]
            assert shorter.complete == (len(shorter) == total)


@pytest.mark.parametrize("kind", INDEX_TYPES)
def test_an_index_is_judged_by_all_rows(of_each_type: dict[str, Generation], kind: str) -> None:
    generation, flat = of_each_type[kind], of_each_type["flat"]
    for query in (*clustered(40)[::10].astype(np.float32), drawn("far from all of them")):
        exact = generation.nearest("images", query, 20, exact=True)
        assert listed(exact)[:20] == listed(flat.nearest("images", query, 20))[:20]
        found = generation.nearest("images", query, 20)
        assert np.isin(exact.ids[:20], found.ids).mean() >= 0.9


def test_scores_are_of_any_rows_in_any_order(truth: Truth) -> None:
    generation, rows = truth.generation, truth.rows["images"]
    queries = np.stack(QUERIES)
    for picked in (rows.ids, rows.ids[::-1], rows.ids[3:4], np.repeat(rows.ids[:2], 3)):
        scores = generation.scores("images", queries, picked)
        places = [rows.ids.tolist().index(row) for row in picked]
        expected = queries.astype(np.float64) @ rows.vectors[places].T.astype(np.float64)
        assert scores.shape == (len(queries), len(picked))
        assert np.array_equal(scores, expected.round(DECIMALS))


def test_rows_that_are_not_there_have_no_score(truth: Truth) -> None:
    rows = truth.rows["texts"].ids
    mixed = of(0, rows[0], STRANGE, rows[-1], -1)
    scores = truth.generation.scores("texts", np.stack(QUERIES), mixed)
    assert np.array_equal(np.isnan(scores[0]), [True, False, True, False, True])
    assert np.isnan(truth.generation.scores("texts", np.stack(QUERIES), of(STRANGE))).all()


def test_scores_have_a_place_for_each_query_and_row_also_for_none(truth: Truth) -> None:
    queries, rows = np.stack(QUERIES), truth.rows["images"].ids
    assert truth.generation.scores("images", queries, of()).shape == (len(queries), 0)
    assert truth.generation.scores("images", queries[:0], rows).shape == (0, len(rows))
    assert truth.generation.scores("images", queries[:0], of()).shape == (0, 0)


def test_equal_rows_score_equally_whatever_stands_beside_them(
    of_each_type: dict[str, Generation],
) -> None:
    generation = of_each_type["flat"]
    query = drawn("whatever")
    rows = generation.rows_of("images", generation.sample_products(1_500))
    scores = generation.scores("images", query[None], rows.ids)[0]
    _, kind = np.unique(rows.vectors, axis=0, return_inverse=True)
    kind = kind.reshape(-1)
    twins = [np.flatnonzero(kind == number) for number in np.flatnonzero(np.bincount(kind) > 1)]
    assert len(twins) > 200
    for pair in twins:
        assert len(set(scores[pair])) == 1
        assert generation.scores("images", query[None], rows.ids[pair[:1]])[0] == scores[pair[0]]


def test_rows_stand_by_product_then_as_its_card_lists_them(truth: Truth) -> None:
    products = of(*reversed(truth.cards))
    images = truth.generation.rows_of("images", products)
    texts = truth.generation.rows_of("texts", products)
    ascending = [truth.cards[number] for number in sorted(truth.cards)]
    assert images.ids.tolist() == [row.id for card in ascending for row in card.images]
    assert images.products.tolist() == [card.id for card in ascending for _ in card.images]
    assert images.fields == ()
    assert texts.ids.tolist() == [row.id for card in ascending for row in card.texts]
    assert texts.products.tolist() == [card.id for card in ascending for _ in card.texts]
    assert texts.fields == tuple(row.field for card in ascending for row in card.texts)


def test_rows_have_the_vectors_that_were_written(truth: Truth) -> None:
    made = {product.key: product for product in shop()}
    rows = truth.rows["images"]
    for product in truth.cards:
        theirs = rows.vectors[rows.products == product]
        assert theirs.dtype == np.float32
        expected = list(made[truth.key(product)].photos.values())
        assert np.array_equal(theirs, np.array(expected).reshape(-1, DIM))


def test_strange_products_have_no_rows(truth: Truth) -> None:
    some = truth.id("b")
    mixed = truth.generation.rows_of("images", of(-1, STRANGE, some, some))
    assert mixed.ids.tolist() == truth.generation.rows_of("images", of(some)).ids.tolist()
    for modality in MODALITIES:
        nothing = truth.generation.rows_of(modality, of(-1, STRANGE))
        assert (len(nothing), nothing.vectors.shape) == (0, (0, DIM))
        assert truth.generation.rows_of(modality, of()).vectors.shape == (0, DIM)


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_sample_of_vectors_is_the_same_each_time_and_spread(
    truth: Truth, modality: Modality
) -> None:
    rows = truth.rows[modality]
    by_key = rows.vectors[np.argsort(rows.ids)]
    assert np.array_equal(truth.generation.sample_vectors(modality, 10_000), by_key)
    for count in (0, 1, 2, 5):
        sample = truth.generation.sample_vectors(modality, count)
        assert sample.shape == (count, DIM)
        assert sample.dtype == np.float32
        assert np.array_equal(sample, truth.generation.sample_vectors(modality, count))
    ends = truth.generation.sample_vectors(modality, 2)
    assert np.array_equal(ends, by_key[[0, -1]])


def test_a_sample_of_products_is_spread_over_those_that_will_do(
    of_each_type: dict[str, Generation], truth: Truth
) -> None:
    generation = of_each_type["flat"]
    every = generation.sample_products(5_000)
    assert every.tolist() == sorted(card.id for card in generation.scan())
    for count in (0, 1, 2, 10, 400):
        sample = generation.sample_products(count)
        assert len(sample) == count
        assert np.array_equal(sample, np.unique(sample))
        assert np.array_equal(sample, generation.sample_products(count))
    gaps = np.diff(np.searchsorted(every, generation.sample_products(10)))
    assert gaps.min() >= 0.9 * gaps.max()
    assert gaps.sum() == len(every) - 1, "from the first to the last"
    without = generation.sample_products(10, without=every[:750])
    assert without.min() > every[749]
    assert not len(generation.sample_products(10, without=every))

    def having(*modalities: Modality) -> list[int]:
        owners = [set(truth.rows[modality].products.tolist()) for modality in modalities]
        return sorted(set.intersection(set(truth.cards), *owners))

    for modalities in ((), ("images",), ("texts",), ("images", "texts")):
        found = truth.generation.sample_products(100, with_all_of=modalities)
        assert found.tolist() == having(*modalities)
    left = truth.generation.sample_products(100, with_all_of=("images",), without=of(-1, STRANGE))
    assert left.tolist() == having("images")


# Which products there are


def test_products_are_found_by_their_ids_to_the_letter(truth: Truth) -> None:
    asked = [*IDS, "nobody", "", "sku-10/2 b", "A-1", IDS[0]]
    found = truth.generation.product_ids(asked)
    assert found.dtype == np.int64
    expected = [truth.id(key) for key in IDS]
    assert found.tolist() == [*expected, -1, -1, -1, -1, expected[0]]
    assert truth.generation.product_ids([]).tolist() == []
    many = truth.generation.product_ids([f"no {number}" for number in range(3_000)])
    assert set(many.tolist()) == {-1}


def test_an_id_that_is_typed_means_its_product(truth: Truth) -> None:
    typed = truth.generation.typed_id
    for key in IDS:
        assert typed(key) == truth.id(key)
    assert typed("sku-10/2 B") == truth.id("SKU-10/2 b")
    assert typed("A-1") == truth.id("a-1")
    for text in ("nobody", "", "SKU", "SKU-10/2", "%", "_", "a%", "'", '"'):
        assert typed(text) is None


def test_an_id_in_any_case_is_meant_only_if_no_other_could_be(make_storage: Any) -> None:
    alike = ["".join(letters) for letters in itertools.product("aA", "bB", "cC", "dD")]
    generation = make_live(make_storage(), [MadeUp(key, title="x") for key in [*alike, "One-1"]])
    keys = {card.key: card.id for card in generation.scan()}
    for key in alike:
        assert generation.typed_id(key) == keys[key], "to the letter, of however many"
    two = make_live(make_storage("two"), [MadeUp("Ab", title="x"), MadeUp("aB", title="x")])
    assert two.typed_id("ab") is None
    assert generation.typed_id("oNE-1") == keys["One-1"]


def test_an_id_is_typed_in_any_case_in_any_script(make_storage: Any) -> None:
    generation = make_live(
        make_storage(), [MadeUp(key, title="x") for key in ("Möbel-7", "ЛАМПА-1", "Щ2", "ä", "Ä")]
    )
    for typed, meant in {"MÖBEL-7": "Möbel-7", "лампа-1": "ЛАМПА-1", "щ2": "Щ2", "ä": "ä"}.items():
        assert generation.typed_id(typed) == generation.product_ids([meant])[0]
    assert generation.typed_id("mobel-7") is None


def test_a_card_shows_all_that_was_written(make_storage: Any) -> None:
    attributes = {
        "colour": "Red", "sizes": ["S", "M"], "new": True, "weight": 7.5, "pieces": 4, "Größe": "",
    }  # fmt: skip
    whole = MadeUp("whole", "Chair", "Of oak", "Chairs > Oak", "Acme", 99.5, attributes,
                   photos={"b.jpg": None, "../a.jpg": None})  # fmt: skip
    generation = make_live(make_storage(), [whole, MadeUp("bare", photos={"c.jpg": None})])
    card, bare = generation.scan()
    assert (card.key, card.title, card.description) == ("whole", "Chair", "Of oak")
    assert (card.category, card.brand, card.price) == ("Chairs > Oak", "Acme", 99.5)
    assert card.attributes == attributes
    assert list(card.attributes) == list(attributes)
    assert [(image.path, image.width, image.height) for image in card.images] == [
        ("b.jpg", 64, 64), ("../a.jpg", 64, 64),
    ]  # fmt: skip
    assert [(text.field, text.content) for text in card.texts] == whole.record.texts
    assert (bare.title, bare.description, bare.texts, bare.attributes) == ("", "", (), {})
    assert (bare.category, bare.brand, bare.price) == (None, None, None)


def test_cards_are_of_those_that_exist(truth: Truth) -> None:
    some = [truth.id("z"), truth.id("B"), STRANGE, -1, truth.id("z")]
    for _ in range(2):  # also where they are remembered
        assert truth.generation.cards(some) == {
            number: truth.cards[number] for number in (truth.id("z"), truth.id("B"))
        }
    assert truth.generation.cards([]) == {}
    assert truth.generation.cards(list(truth.cards)) == truth.cards


def test_a_scan_gives_every_product_once_by_primary_key(
    truth: Truth, of_each_type: dict[str, Generation]
) -> None:
    assert [card.key for card in truth.generation.scan()] == [product.key for product in shop()]
    numbers = [card.id for card in of_each_type["flat"].scan()]
    assert len(numbers) == 1_500
    assert numbers == sorted(set(numbers))


# Filters

SHELF = [
    MadeUp("A", "Oak chair", category="Chairs", brand="Acme", price=99.5, photos={"a": None},
           attributes={"colour": "Red", "weight": "7.5", "new": True, 'odd "name"': "x"}),
    MadeUp("B", "Walnut chair", category="Chairs/Dining", photos={"b": None, "b2": None},
           attributes={"colour": "blue", "weight": "12 kg", "ages": "12-14", "sizes": ["S", "M"]}),
    MadeUp("C", "Café table, größer", category="Tables", brand="acme", price=250.0,
           attributes={"weight": 30, "new": False, "Größe": "GROß", "sizes": "M", "tiny": 2e-7,
                       "made": "1.5.2024"}),
    MadeUp("D-10/2", "", category="Chairs > Bar", brand="O'Neil", price=0.0, photos={"d": None}),
    MadeUp("E", "Lamp", category="Lamps/Floor > Arc", attributes={"Colour": "green", "huge": 2e30}),
]  # fmt: skip


@pytest.fixture(scope="module")
def shelf(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return Truth(make_live(engine.at(tmp_path_factory.mktemp("shelf")), SHELF))


def meeting(truth: Truth, condition: Condition | None) -> str:
    """First letters of the products that meet it."""
    products = of(*sorted(truth.cards))
    allowed = truth.generation.allows(condition, products)
    assert allowed.dtype == np.bool_
    assert truth.generation.count(condition) == allowed.sum()
    return " ".join(truth.key(number)[0] for number in products[allowed].tolist())


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ([], "A B C D E"),
        (["category=chairs"], "A B D"),
        (["category=Chairs/Dining"], "B"),
        (["category=Chair"], ""),
        (["category=Lamps/Floor"], "E"),
        (["category=Lamps"], ""),
        (["category!=chairs"], "C E"),
        (["brand=ACME"], "A C"),
        (["brand=O'Neil"], "D"),
        (["brand!=acme"], "B D E"),
        (["title=lamp"], "E"),
        (["id=d-10/2"], "D"),
        (["price<100"], "A D"),
        (["price<=99.5"], "A D"),
        (["price>99.5"], "C"),
        (["price>=0", "price<1"], "D"),
        (["price=250"], "C"),
        (["price!=250"], "A B D E"),
        (["price=0", "price=250"], "C D"),
        (["colour=red"], "A"),
        (["colour=red", "colour=blue"], "A B"),
        (["colour=red", "COLOUR=blue"], "A B"),
        (["colour=red", "colour=green", "category=Chairs"], "A"),
        (["colour=green"], "E"),
        (["colour=red", "brand=nobody"], ""),
        (["colour!=red"], "B C D E"),
        (["colour!=red", "colour!=blue"], "C D E"),
        (["weight<10"], "A"),
        (["weight>10"], "C"),
        (["weight>=7.5", "weight<=30"], "A C"),
        (["weight=7.50"], "A"),
        (["weight=12 kg"], "B"),
        (["ages<13"], ""),
        (["made<13"], ""),
        (["tiny<1"], "C"),
        (["huge>1"], "E"),
        (["new=true"], "A"),
        (["new=FALSE"], "C"),
        (["new=1"], ""),
        (['odd "name"=x'], "A"),
        (["Größe=groß"], "C"),
        (["nothing=x"], ""),
        (["nothing!=x"], "A B C D E"),
        ({"category": ["Tables", "Chairs/Dining"]}, "B C"),
        ({"category": "Chairs", "price": {"<": 100}}, "A D"),
        (["Category=chairs", "COLOUR=red"], "A"),
    ],
)
def test_filters_let_through_what_meets_them(shelf: Truth, where: Any, expected: str) -> None:
    condition = shelf.generation.condition(filters_from(where))
    assert (condition is None) == (not where)
    assert meeting(shelf, condition) == expected


@given(
    field=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12),
    value=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12).filter(
        folded
    ),
    operator=st.sampled_from(["=", "!="]),
)
@settings(deadline=None, max_examples=60)
def test_no_name_or_value_is_ever_more_than_that(
    shelf: Truth, field: str, value: str, operator: str
) -> None:
    where = filters_from({f"no {field}": {operator: value}})
    condition = shelf.generation.condition(where)
    assert meeting(shelf, condition) == ("" if operator == "=" else "A B C D E")


def test_products_are_left_out_by_name(shelf: Truth) -> None:
    condition, ids = shelf.generation.condition, {key[0]: shelf.id(key) for key in "ABCE"}
    assert meeting(shelf, condition((), without=of(ids["A"], ids["E"]))) == "B C D"
    chairs = filters_from("category=chairs")
    assert meeting(shelf, condition(chairs, without=of(ids["A"], ids["C"], STRANGE, -1))) == "B D"
    assert meeting(shelf, condition(chairs, without=of())) == "A B D"
    assert meeting(shelf, condition(chairs)) == "A B D", "what was left out once is not for ever"
    assert meeting(shelf, condition((), without=of(STRANGE))) == "A B C D E"
    assert condition((), without=of()) is None


def test_products_that_there_are_not_are_not_allowed(shelf: Truth) -> None:
    asked = of(STRANGE, shelf.id("B"), -1, 0, shelf.id("A"), shelf.id("B"))
    allows = shelf.generation.allows
    assert allows(None, asked).tolist() == [False, True, False, False, True, True]
    red = shelf.generation.condition(filters_from("colour=red"))
    assert allows(red, asked).tolist() == [False, False, False, False, True, False]
    not_red = shelf.generation.condition(filters_from("colour!=red"))
    assert allows(not_red, asked).tolist() == [False, True, False, False, False, True]
    assert allows(red, of()).tolist() == []


def test_what_can_be_found_is_counted(shelf: Truth) -> None:
    count, condition = shelf.generation.count, shelf.generation.condition
    chairs = condition(filters_from("category=chairs"))
    assert count() == 5
    assert count(with_any_of=("images",)) == 3
    assert count(with_any_of=("texts",)) == 5
    assert count(with_any_of=("images", "texts")) == 5
    assert count(with_any_of=("images",), or_among=of(shelf.id("C"), shelf.id("A"))) == 4
    assert count(or_among=of(shelf.id("C"), STRANGE, -1)) == 1
    assert count(or_among=of()) == 0
    assert count(chairs, with_any_of=("images",)) == 3
    assert count(chairs, or_among=of(shelf.id("C"), shelf.id("A"))) == 1
    assert count(condition(filters_from("colour=none")), with_any_of=("images",)) == 0


def test_fields_that_can_be_filtered_by_are_those_with_a_value(
    shelf: Truth, make_storage: Any
) -> None:
    assert shelf.generation.field_names() == [
        "id", "title", "category", "brand", "price",
        "Colour", "Größe", "ages", "colour", "huge", "made", "new", 'odd "name"', "sizes", "tiny",
        "weight",
    ]  # fmt: skip
    bare = make_live(make_storage(), [MadeUp("a", photos={"a.jpg": None}, attributes={"b": "c"})])
    assert bare.field_names() == ["id", "b"]


# Words

SAYING = [
    MadeUp("in-title", "Walnut stool", "Something to sit on"),
    MadeUp("in-text", "Something", "Sit on a walnut stool"),
    MadeUp("in-brand", "Sit", brand="Walnut", category="Something"),
    MadeUp("walnut", "Sit on it"),
    MadeUp("CH-1042", "Chairs", "Of beech, for a café", attributes={"tone": "Crème", "n": 12}),
    MadeUp("CH-1043", "A chair", "Beech of the finest"),
    MadeUp("wall", "Wall clock", "Ticks"),
    MadeUp("cuckoo", "Clock", "Hangs on a wall"),
    MadeUp("none", photos={"none.jpg": None}),
    *(MadeUp(key, "Twin set", category="Twins") for key in ("b", "B", "ä", "9", "10")),
]  # fmt: skip
WORD_WEIGHTS = {field.name: field.weight for field in PRODUCT_FIELDS if field.weight is not None}


@pytest.fixture(scope="module")
def saying(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return Truth(make_live(engine.at(tmp_path_factory.mktemp("saying")), SAYING))


def keys(truth: Truth, words: Sequence[str], *, every: bool = True, **options: Any) -> list[str]:
    matches = truth.generation.lexical(words, every=every, **options)
    assert np.array_equal(matches.ids, matches.products)
    assert np.all(np.diff(matches.scores) <= 0)
    assert np.array_equal(matches.scores, matches.scores.round(DECIMALS))
    return [truth.key(product) for product in matches.products.tolist()]


@pytest.mark.parametrize(
    ("words", "every", "expected"),
    [
        (["chair"], True, "CH-1042 CH-1043"),
        (["CHAIRS"], True, "CH-1042 CH-1043"),
        (["chair", "beech"], True, "CH-1042 CH-1043"),
        (["chair", "cafe"], True, "CH-1042"),
        (["chair", "clock"], True, ""),
        (["chair", "clock"], False, "CH-1042 CH-1043 cuckoo wall"),
        (["wall clock"], True, "wall"),
        (["wall", "clock"], True, "cuckoo wall"),
        (["clock wall"], True, ""),
        (["CH-1042"], True, "CH-1042"),
        (["1042-CH"], True, ""),
        (["creme"], True, "CH-1042"),
        (["crème"], True, "CH-1042"),
        (["tone"], True, ""),
        (["12"], True, "CH-1042"),
        (["walnut"], True, "in-brand in-text in-title walnut"),
        ([], True, ""),
        ([], False, ""),
        (["!!!"], True, ""),
        ([""], True, ""),
        (["...", "-"], False, ""),
        (["...", "clock"], False, "cuckoo wall"),
        (["...", "clock"], True, ""),
        (["nobody says this"], False, ""),
    ],
)
def test_words_are_found_as_they_were_meant(
    saying: Truth, words: list[str], every: bool, expected: str
) -> None:
    assert sorted(keys(saying, words, every=every)) == expected.split()


def test_a_word_counts_most_in_the_id_and_more_in_a_title_than_in_a_text(saying: Truth) -> None:
    assert keys(saying, ["walnut"]) == ["walnut", "in-title", "in-brand", "in-text"]


def test_equal_scores_of_words_stand_by_product_id(saying: Truth) -> None:
    assert keys(saying, ["twin"]) == ["10", "9", "B", "b", "ä"]
    matches = saying.generation.lexical(["twin"], every=True)
    assert len(set(matches.scores.tolist())) == 1
    assert np.array_equal(np.argsort(matches.order, kind="stable"), np.arange(5))


def test_words_that_are_unwanted_leave_out_who_holds_them(saying: Truth) -> None:
    assert keys(saying, ["clock"], without=["wall clock"]) == ["cuckoo"]
    assert keys(saying, ["clock"], without=["wall"]) == []
    assert keys(saying, ["clock"], without=["tick", "hang"]) == []
    assert keys(saying, ["clock"], without=["TICKS"]) == ["cuckoo"]
    for nothing in ([], [""], ["..."], ["!"], ["_"], ["nobody"]):
        assert sorted(keys(saying, ["clock"], without=nothing)) == ["cuckoo", "wall"]
        assert sorted(keys(saying, ["clock", "tick"], every=False, without=nothing)) == [
            "cuckoo", "wall",
        ]  # fmt: skip
    assert keys(saying, ["clock"], without=["...", "tick"]) == ["cuckoo"]


def test_a_limit_leaves_the_best(saying: Truth) -> None:
    whole = keys(saying, ["walnut", "sit", "clock"], every=False)
    assert len(whole) > 4
    for limit in range(len(whole) + 2):
        matches = saying.generation.lexical(["walnut", "sit", "clock"], every=False, limit=limit)
        assert [saying.key(number) for number in matches.products.tolist()] == whole[:limit]
        assert not matches.complete or limit >= len(whole)
    assert saying.generation.lexical(["walnut"], every=True).complete


def test_words_are_found_under_a_condition(saying: Truth) -> None:
    allowed = saying.generation.condition((), without=of(saying.id("walnut"), saying.id("wall")))
    assert keys(saying, ["walnut"], condition=allowed) == ["in-title", "in-brand", "in-text"]
    assert keys(saying, ["walnut"], condition=allowed, limit=2) == ["in-title", "in-brand"]
    assert keys(saying, ["clock"], condition=allowed) == ["cuckoo"]
    unfiltered = saying.generation.lexical(["walnut"], every=True).scores
    filtered = saying.generation.lexical(["walnut"], every=True, condition=allowed).scores
    assert np.array_equal(filtered, unfiltered[1:]), "a filter changes no score"
    twins = saying.generation.condition(filters_from("category=Twins"))
    assert keys(saying, ["walnut"], condition=twins) == []
    assert saying.generation.lexical(["walnut"], every=True, condition=twins).complete


def test_scores_of_words_are_bm25(saying: Truth) -> None:
    """By the formula, of a word that needs no stemming."""
    lengths, counts = [], []
    for card in saying.cards.values():
        fields = {"id": card.key, **{name: getattr(card, name) or "" for name in WORD_WEIGHTS
                                     if name != "id"}}  # fmt: skip
        said = " ".join([*fields.values(), *map(str, card.attributes.values())])
        lengths.append(len(said.replace("-", " ").replace(",", " ").split()))
        counts.append(sum(
            weight * fields[name].lower().replace("-", " ").split().count("walnut")
            for name, weight in WORD_WEIGHTS.items()
        ))  # fmt: skip
    holding, mean = sum(count > 0 for count in counts), sum(lengths) / len(lengths)
    idf = math.log((len(lengths) - holding + 0.5) / (holding + 0.5))
    expected = {
        card.id: idf * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / mean))
        for card, length, count in zip(saying.cards.values(), lengths, counts, strict=True)
        if count
    }
    matches = saying.generation.lexical(["walnut"], every=True)
    found = dict(zip(matches.products.tolist(), matches.scores.tolist(), strict=True))
    assert found == pytest.approx(expected, abs=1e-6)


OPERATORS = ["AND", "OR", "NOT", "NEAR", '"', "*", "^", "(", ")", ":", "-", "+", "{", "}", "title:"]


@pytest.mark.parametrize("operator", OPERATORS)
def test_nothing_typed_is_an_operator(saying: Truth, operator: str) -> None:
    typed = f"clock {operator} chair"
    assert keys(saying, [typed]) == []
    assert keys(saying, [f"{operator}clock"]) in (["wall", "cuckoo"], ["cuckoo", "wall"], [])
    assert keys(saying, [f"chai{operator}"]) == []
    assert sorted(keys(saying, ["clock"], without=[typed])) == ["cuckoo", "wall"]
    assert saying.generation.document_frequency([typed]) == {typed: 0}


TEXT = st.text(st.characters(codec="utf-8"), max_size=30)


@given(words=st.lists(TEXT, max_size=4), without=st.lists(TEXT, max_size=2), every=st.booleans())
@settings(deadline=None, max_examples=120)
def test_whatever_is_typed_is_looked_for(
    saying: Truth, words: list[str], without: list[str], every: bool
) -> None:
    found = keys(saying, words, every=every, without=without)
    assert len(found) == len(set(found)) <= len(SAYING)
    beside = keys(saying, [*words, "twin"], every=False, without=without)
    alone = keys(saying, ["twin"], without=without)
    assert set(alone) <= set(beside), "what else is typed hides nothing"
    frequency = saying.generation.document_frequency(words)
    for word in words:
        assert frequency[word] == len(keys(saying, [word]))


def test_it_is_known_how_many_products_hold_words(saying: Truth) -> None:
    phrases = ["chair", "wall clock", "clock wall", "walnut", "nobody", "", "..."]
    for _ in range(2):
        assert saying.generation.document_frequency(phrases) == {
            "chair": 2, "wall clock": 1, "clock wall": 0, "walnut": 4, "nobody": 0, "": 0, "...": 0,
        }  # fmt: skip
    assert saying.generation.document_frequency([]) == {}


# Fields


def held(truth: Truth, keys: Sequence[str], field: str) -> list[list[str]]:
    """The values of each of these products."""
    values = truth.generation.values(truth.generation.product_ids(keys), field)
    assert len(values.places) == len(values.codes)
    assert len(set(values.names)) == len(values.names)
    found: list[list[str]] = [[] for _ in keys]
    for place, code in zip(values.places.tolist(), values.codes.tolist(), strict=True):
        found[place].append(values.names[code])
    return found


def test_values_are_told_product_by_product(shelf: Truth) -> None:
    every = ["E", "D-10/2", "C", "B", "A"]
    assert held(shelf, every, "brand") == [[], ["O'Neil"], ["acme"], [], ["Acme"]]
    assert held(shelf, every, "sizes") == [[], [], ["M"], ["S", "M"], []]
    assert held(shelf, every, "new") == [[], [], ["false"], [], ["true"]]
    assert held(shelf, every, "title")[1] == []
    assert held(shelf, every, "nothing") == [[]] * 5
    for field in ("colour", "COLOUR", "Colour"):
        assert held(shelf, every, field) == [["green"], [], [], ["blue"], ["Red"]]
    assert held(shelf, ["A", "nobody", "B", "A"], "Category") == [
        ["Chairs"], [], ["Chairs/Dining"], ["Chairs"],
    ]  # fmt: skip
    assert held(shelf, [], "brand") == []


def test_values_of_a_field_of_numbers_are_numbers_too(shelf: Truth) -> None:
    products = shelf.generation.product_ids(["C", "A", "B"])
    prices = shelf.generation.values(products, "price")
    assert prices.places.tolist() == [0, 1]
    assert prices.numbers is not None
    assert prices.numbers.tolist() == [250.0, 99.5]
    assert [float(prices.names[code]) for code in prices.codes] == [250.0, 99.5]
    for field in ("weight", "new", "colour"):
        assert shelf.generation.values(products, field).numbers is None


def test_values_are_counted_the_most_frequent_first(shelf: Truth) -> None:
    counts, condition = shelf.generation.value_counts, shelf.generation.condition
    assert counts("sizes") == [("M", 2), ("S", 1)]
    assert counts("colour") == counts("Colour") == [("Red", 1), ("blue", 1), ("green", 1)]
    assert counts("NEW") == [("false", 1), ("true", 1)]
    assert counts("Brand") == [("Acme", 1), ("O'Neil", 1), ("acme", 1)]
    assert [value for value, _ in counts("category")] == [
        "Chairs", "Chairs > Bar", "Chairs/Dining", "Lamps/Floor > Arc", "Tables",
    ]  # fmt: skip
    assert counts("title", limit=2) == [("Café table, größer", 1), ("Lamp", 1)]
    assert [(float(value), count) for value, count in counts("price")] == [
        (0.0, 1), (250.0, 1), (99.5, 1),
    ]  # fmt: skip
    assert counts("nothing") == []
    chairs = condition(filters_from("category=chairs"))
    assert counts("colour", chairs) == [("Red", 1), ("blue", 1)]
    assert counts("sizes", condition(filters_from("id=B"))) == [("M", 1), ("S", 1)]
    assert counts("colour", condition(filters_from("id=nobody"))) == []


def test_a_value_that_a_product_has_twice_is_of_one_product(make_storage: Any) -> None:
    products = [
        MadeUp("a", "x", attributes={"tag": ["new", "new", "", None]}),
        MadeUp("b", "x", attributes={"tag": []}),
        MadeUp("c", "x", attributes={"tag": "new"}),
    ]
    generation = make_live(make_storage(), products)
    assert generation.value_counts("tag") == [("new", 2)]


# The whole


def test_what_a_generation_says_of_itself_is_so(truth: Truth) -> None:
    manifest = truth.generation.manifest
    assert manifest.products == len(truth.cards)
    assert (manifest.fingerprint, manifest.dim) == (ENCODER.fingerprint, ENCODER.dim)
    assert (manifest.model, manifest.fit) == (ENCODER.name, ENCODER.fit)
    for modality in MODALITIES:
        assert manifest.galleries[modality].vectors == len(truth.rows[modality])
    assert not manifest.adapter
    assert truth.generation.adapter() is None


def test_an_empty_catalog_finds_nothing(make_storage: Any) -> None:
    generation = make_live(make_storage())
    for modality in MODALITIES:
        matches = generation.nearest(modality, QUERIES[0], 10)
        assert (len(matches), matches.complete) == (0, True)
        assert generation.sample_vectors(modality, 10).shape == (0, DIM)
        assert generation.rows_of(modality, of(1)).vectors.shape == (0, DIM)
        assert np.isnan(generation.scores(modality, QUERIES[0][None], of(1))).all()
    nothing = generation.condition(filters_from("price<1"), without=of(1))
    assert generation.count(nothing) == generation.count() == 0
    assert generation.count(with_any_of=("images",), or_among=of(1)) == 0
    assert generation.allows(nothing, of(1, 2)).tolist() == [False, False]
    assert len(generation.lexical(["chair"], every=True)) == 0
    assert generation.document_frequency(["chair"]) == {"chair": 0}
    assert (list(generation.scan()), generation.cards([1]), generation.typed_id("a")) == (
        [],
        {},
        None,
    )
    assert generation.product_ids(["a"]).tolist() == [-1]
    assert generation.sample_products(5, with_all_of=("images",), without=of(1)).tolist() == []
    assert generation.field_names() == []
    assert generation.value_counts("brand", nothing) == []
    assert generation.values(of(1), "brand").names == ()


def test_many_threads_are_answered_as_one_is(saying: Truth, truth: Truth) -> None:
    def ask(number: int) -> Any:
        generation, query = truth.generation, QUERIES[number % len(QUERIES)]
        condition = generation.condition(filters_from(f"price<{number % 12}"))
        return (
            listed(generation.nearest("images", query, 5, condition)),
            generation.cards(sorted(truth.cards)[number % 10 :]),
            generation.typed_id(IDS[number % len(IDS)]),
            generation.value_counts("category", condition),
            keys(saying, ["walnut", SAYING[number % len(SAYING)].title], every=False),
        )

    alone = [ask(number) for number in range(48)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(48))) == alone
