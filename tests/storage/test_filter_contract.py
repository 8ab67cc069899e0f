"""What filters, ids and words mean in any engine: exact values, any case, lists, what is not there,
and texts that look the same."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.storage.base import Generation
from retrieval.storage.filters import Filter, filters_from, parse_filter
from tests.storage.conftest import Engine
from tests.support.storage import MadeUp, make_live, write


def met(generation: Generation, where: Any) -> str:
    """The ids of the products that meet it."""
    cards = list(generation.scan())
    ids = np.array([card.id for card in cards], dtype=np.int64)
    allowed = generation.allows(generation.condition(filters_from(where)), ids)
    return " ".join(card.key for card, allow in zip(cards, allowed, strict=True) if allow)


VALUES: dict[str, dict[str, Any]] = {
    "serial": {"A": "900719925474099301", "B": "900719925474099302", "C": 900719925474099303},
    "ean": {"A": "00012345678905", "B": "12345678905", "C": 12345678905.0},
    "code": {"A": "007", "B": "7", "C": "07", "D": 7, "E": "7.0"},
    "fw": {"A": "1.2", "B": "1.2.3", "C": "1.20", "D": "1.3", "E": "1e1", "F": "10"},
    "weight": {"A": "7.5", "B": 7.5, "C": "7.5 kg", "D": 30, "E": 30.0, "F": 0.1},
    "long": {"A": 2**70, "B": 2**70 + 1, "C": str(2**70), "D": 2e30},
    "ok": {"A": True, "B": "true", "C": 1, "D": "1", "E": False},
    "day": {"A": "2026-01-01", "B": "2026", "C": 2026},
}


@pytest.fixture(scope="module")
def values(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Generation:
    products = [
        MadeUp(key, "Thing", attributes={f: v[key] for f, v in VALUES.items() if key in v})
        for key in "ABCDEF"
    ]
    return make_live(engine.at(tmp_path_factory.mktemp("values")), products)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("serial=900719925474099301", "A"),
        ("serial=900719925474099302", "B"),
        ("serial=900719925474099303", "C"),
        ("serial!=900719925474099301", "B C"),
        ("serial>900719925474099301", "B C"),
        ("serial<=900719925474099302", "A B"),
        ("ean=00012345678905", "A"),
        ("ean=12345678905", "B C"),
        ("ean=012345678905", ""),
        ("code=007", "A"),
        ("code=7", "B D"),
        ("code=07", "C"),
        ("code=7.0", "E"),
        ("code=7.00", "B D E"),
        ("code=0007", ""),
        ("fw=1.2", "A"),
        ("fw=1.2.3", "B"),
        ("fw=1.20", "C"),
        ("fw=1.3", "D"),
        ("fw=1.30", "D"),
        ("fw=1e1", "E"),
        ("fw=10", "F"),
        ("fw=1e1 ", "E"),
        ("weight=7.5", "A B"),
        ("weight=7.50", "A B"),
        ("weight=30", "D E"),
        ("weight=30.0", "D E"),
        ("weight=3e1", "D E"),
        ("weight=0.1", "F"),
        ("weight=7.5 KG", "C"),
        ("weight>=7.5", "A B D E"),
        (f"long={2**70}", "A C"),
        (f"long={2**70 + 1}", "B"),
        (f"long>{2**70}", "B D"),
        ("long=2e30", "D"),
        ("ok=true", "A B"),
        ("ok=1", "C D"),
        ("ok=False", "E"),
        ("day=2026", "B C"),
        ("day=2026-01-01", "A"),
        ("day>2000", "B C"),
    ],
)
def test_equal_is_what_is_written_or_the_same_plain_number(
    values: Generation, where: str, expected: str
) -> None:
    # Of those that have the field: who lacks it has no value, and so not this one.
    assert met(values, [where, f"{parse_filter(where).field}!="]) == expected


def test_no_two_numbers_are_one_however_long(make_storage: Any) -> None:
    random = np.random.default_rng(0)
    starts = [int(start) for start in random.integers(10**14, 2**62, 10)] + [10**20, 10**30]
    numbers = [str(start + step) for start in starts for step in range(3)]
    generation = make_live(make_storage(), [MadeUp(n, "x", attributes={"n": n}) for n in numbers])
    for number in numbers:
        assert met(generation, {"n": number}) == met(generation, {"n": int(number)}) == number


CASES = [
    ("nescafé", "NESCAFÉ"), ("épicerie", "ÉPICERIE"), ("Чёрный", "ЧЁРНЫЙ"), ("straße", "STRASSE"),
    ("οδος", "ΟΔΟΣ"), ("ﬁlm", "FILM"), ("ŞEKER", "şeker"),
]  # fmt: skip
UNSEEN = [
    "Wasser\u00adkocher", "Head\u200bphones", "\ufeffplain", "Acme\u00a0Tools", "a\u2009b\u3000c",
    "heart\u2764\ufe0f", "left\u200eright\u202c", "zero\u2060width", "  many   spaces ", "a\u2800b",
    "hangul\u3164", "bell\x07 rings\x1b",
]  # fmt: skip
SEEN = [
    "Wasserkocher", "Headphones", "plain", "Acme Tools", "a b c", "heart\u2764", "leftright",
    "zerowidth", "many spaces", "a b", "hangul", "bell rings",
]  # fmt: skip
ACCENTED = ["도자기 꽃병", "ガラス バッグ", "Küche", "größe", "Ångström", "Việt Nam", "क़लम"]
ALIKE = [
    *CASES,
    *zip(UNSEEN, SEEN, strict=True),
    *((unicodedata.normalize("NFD", text), text) for text in ACCENTED),
]


@pytest.fixture(scope="module", params=["stored", "typed"])
def alike(engine: Engine, tmp_path_factory: Any, request: Any) -> tuple[Generation, Any]:
    """Products in one of the two ways of each pair, and (as it is stored, the other way)."""
    pairs = ALIKE if request.param == "stored" else [(typed, stored) for stored, typed in ALIKE]
    products = [
        MadeUp(
            stored,
            stored,
            category=f"{stored} > Sub",
            brand=stored,
            attributes={"colour": stored, f"x {stored}": "named", "list": ["other", stored]},
        )
        for stored, _ in pairs
    ]
    return make_live(engine.at(tmp_path_factory.mktemp("alike")), products), pairs


@pytest.mark.parametrize("number", range(len(ALIKE)))
def test_texts_that_look_the_same_are_the_same(alike: Any, number: int) -> None:
    generation, pairs = alike
    stored, typed = pairs[number]
    for field in ("id", "title", "brand", "category", "colour", "list"):
        assert met(generation, {field: typed}) == stored, field
    for kept in ({"colour": {"!=": typed}}, {"id": {"!=": typed}}):
        assert generation.count(generation.condition(filters_from(kept))) == len(pairs) - 1
    assert met(generation, {f"X {typed}": "NAMED"}) == stored
    product = generation.typed_id(typed)
    assert generation.cards([product])[product].key == stored, "as it came"
    assert generation.cards([product])[product].attributes["colour"] == stored, "as it came"
    assert product in generation.lexical(typed.split(), every=True).products.tolist()
    holding = generation.document_frequency([typed, stored])
    assert holding[typed] == holding[stored] >= 1


def test_an_id_is_one_however_it_is_spelt(make_storage: Any) -> None:
    spelt = [(stored, typed) for stored, typed in ALIKE if (stored, typed) not in CASES]
    storage = make_storage()
    generation = make_live(storage, [MadeUp(stored, "First") for stored, _ in spelt])
    ids = list(range(1, len(spelt) + 1))
    assert generation.product_ids([stored for stored, _ in spelt]).tolist() == ids
    assert generation.product_ids([typed for _, typed in spelt]).tolist() == ids
    plain = [typed for _, typed in spelt]
    with storage.writing() as catalog:
        assert sorted(catalog.stored([*plain, "nobody"], None)) == sorted(plain)
        assert catalog.count_except(set(plain)) == 0
        write(catalog, [MadeUp(typed, "Changed") for typed in plain])
        assert catalog.counts()["products"] == len(spelt)
        assert catalog.remove_except({stored for stored, _ in spelt[1:]}) == 1
        assert list(catalog.stored([spelt[1][0]], None)) == [spelt[1][0]]


def test_an_id_to_the_letter_goes_before_what_looks_like_it(make_storage: Any) -> None:
    keys = ["K\u00fc", "Ku\u0308", "k\u00fc"]
    generation = make_live(make_storage(), [MadeUp(key, "x") for key in keys])
    assert generation.product_ids(keys).tolist() == [1, 2, 3]
    assert [generation.typed_id(key) for key in keys] == [1, 2, 3]
    assert generation.product_ids(["Ku\u0308\u200b", "KU\u0308"]).tolist() == [-1, -1]


NESTED = [
    MadeUp("A", "x", attributes={
        "colors": ["red", "blue"], "ports": [1, 2], "size": {"w": 3, "h": {"cm": "4"}},
        "specs": [{"name": "RAM", "value": "8GB"}, {"name": "Disk", "value": "1TB"}],
    }),
    MadeUp("B", "x", attributes={
        "colors": ["red"], "ports": [2], "size.w": 4, "specs": [{"name": "RAM", "value": "16GB"}],
    }),
    MadeUp("C", "x", attributes={"colors": "red, blue", "ports": 12, "specs": "8GB"}),
    MadeUp("D", "x", attributes={"colors": [], "ports": [[3]], "specs": [{"value": 8}]}),
]  # fmt: skip


@pytest.fixture(scope="module")
def nested(engine: Engine, tmp_path_factory: Any) -> Generation:
    return make_live(engine.at(tmp_path_factory.mktemp("nested")), NESTED)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (["colors=red"], "A B"),
        (["colors=BLUE"], "A"),
        (["colors=red, blue"], "C"),
        (["colors!=blue"], "B C D"),
        (["colors="], "D"),
        (["ports=2"], "A B"),
        (["ports<2"], "A"),
        (["ports=3"], "D"),
        (["size.w=3"], "A"),
        (["SIZE.W=4"], "B"),
        (["size.w>=3"], "A B"),
        (["size.h.cm=4"], "A"),
        (["specs.value=8gb"], "A"),
        (["specs=8GB"], "A C"),
        (["specs=1TB"], "A"),
        (["specs.name=ram"], "A B"),
        (["specs=RAM"], ""),
        (["specs.value=8"], "D"),
        ({"specs": ["16GB", "1TB"]}, "A B"),
    ],
)
def test_lists_and_objects_are_asked_for(nested: Generation, where: Any, expected: str) -> None:
    generation = nested
    assert met(generation, where) == expected
    assert {"colors", "ports", "size.w", "size.h.cm", "specs", "specs.name", "specs.value"} <= set(
        generation.field_names()
    )
    assert "size" not in generation.field_names()


LACKING = [
    MadeUp("A", "Cup", brand="Acme", category="Cups", price=1.0, attributes={"color": "red"}),
    MadeUp("B", "Cup", brand=None, category="", attributes={"color": "", "kind": None}),
    MadeUp("C", "", photos={"c.jpg": None}, brand="  ", price=0.0, attributes={"kind": "\u200b"}),
    MadeUp("D", "Cup", brand="None", category="null", attributes={"color": [], "kind": "x"}),
]


@pytest.fixture(scope="module")
def lacking(engine: Engine, tmp_path_factory: Any) -> Generation:
    return make_live(engine.at(tmp_path_factory.mktemp("lacking")), LACKING)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (["brand="], "B C"),
        ({"brand": None}, "B C"),
        ({"brand": ""}, "B C"),
        ({"brand": [None, "acme"]}, "A B C"),
        ({"brand": {"!=": None}}, "A D"),
        (["brand!="], "A D"),
        (["brand=None"], "D"),
        (["category="], "B C"),
        (["title="], "C"),
        (["price="], "B D"),
        (["price!="], "A C"),
        ({"price": None, "color": None}, "B D"),
        (["color="], "B C D"),
        (["kind="], "A B C"),
        (["kind!="], "D"),
        (["brand=", "brand=Acme"], "A B C"),
    ],
)
def test_what_has_no_value_is_asked_for(lacking: Generation, where: Any, expected: str) -> None:
    assert met(lacking, where) == expected


NAMES = ["a=b", "a<b", 'say "x"', '"quoted"', "a  b", "x!=y", ">=", "price (EUR)", "!", "a.b=c"]


def test_a_column_is_asked_for_whatever_its_name(make_storage: Any) -> None:
    products = [MadeUp("A", "x", attributes={name: f"c=d{name}" for name in NAMES}),
                MadeUp("B", "x", attributes=dict.fromkeys(NAMES, 5))]  # fmt: skip
    generation = make_live(make_storage(), products)
    for name in NAMES:
        doubled, value = name.replace('"', '""'), f"c=d{name}"
        for where in ({name: value}, [f'"{doubled}"={value}'], [f' "{doubled}" = {value} '],
                      [str(Filter(name, "=", value))]):  # fmt: skip
            assert met(generation, where) == "A"
        assert met(generation, [f'"{doubled}"<6']) == met(generation, {name: {"<": 6}}) == "B"
        assert name in generation.field_names()


@given(
    field=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8),
    operator=st.sampled_from(["=", "!=", "<", ">="]),
    number=st.integers(-5, 10**20),
)
def test_a_filter_reads_as_it_is_written(field: str, operator: str, number: int) -> None:
    if not Filter(field, "=", "").name:
        return
    made = filters_from({field: {operator: number}})[0]
    read = parse_filter(str(made))
    assert (read.name, read.operator, read.value) == (made.name, operator, str(number))


def test_ten_thousand_values_are_one_look_at_each(make_storage: Any) -> None:
    products = [MadeUp(f"P{n}", "x", category=f"Kind {n}", attributes={"n": n}) for n in range(30)]
    generation = make_live(make_storage(), products)
    for count in (1_500, 10_000):
        within = range(20, 20 + count)
        for where in (
            {"id": [f"p{n}" for n in within]},
            {"category": [f"kind {n}" for n in within]},
            {"n": list(within)},
            [f"n={n}" for n in within],
        ):
            assert met(generation, where) == " ".join(f"P{n}" for n in range(20, 30))
        for where in ([f"id!=P{n}" for n in within], {"n": {"!=": list(within)}}):
            assert met(generation, where) == " ".join(f"P{n}" for n in range(20))
