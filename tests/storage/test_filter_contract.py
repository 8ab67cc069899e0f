"""What filters, ids and words mean in any engine: exact values, any case, lists, what is not there,
and texts that look the same."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
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


def held(engine: Engine, folder: Any, field: str, values: dict[str, Any]) -> Generation:
    """Products by id, each with a value of an attribute; None: without it."""
    products = [
        MadeUp(key, "Thing", attributes={} if value is None else {field: value})
        for key, value in values.items()
    ]
    return make_live(engine.at(folder), products)


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
def shelves(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Generation]:
    return {
        field: held(engine, tmp_path_factory.mktemp(field), field, values)
        for field, values in VALUES.items()
    }


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
    shelves: dict[str, Generation], where: str, expected: str
) -> None:
    assert met(shelves[parse_filter(where).field], where) == expected


@given(st.lists(st.integers(10**14, 10**30), min_size=2, max_size=6, unique=True))
@settings(deadline=None, max_examples=15)
def test_no_two_numbers_are_one_however_long(engine: Engine, tmp_path_factory: Any,
                                             numbers: list[int]) -> None:  # fmt: skip
    values = {str(place): str(number) for place, number in enumerate(numbers)}
    generation = held(engine, tmp_path_factory.mktemp("numbers"), "n", values)
    for key, number in values.items():
        assert met(generation, {"n": number}) == key


CASES = [
    ("nescafé", "NESCAFÉ"), ("épicerie", "ÉPICERIE"), ("Чёрный", "ЧЁРНЫЙ"), ("straße", "STRASSE"),
    ("οδός", "ΟΔΟΣ"), ("ﬁlm", "FILM"), ("ŞEKER", "şeker"),
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


@pytest.mark.parametrize(("stored", "typed"), [*ALIKE, *((typed, kept) for kept, typed in ALIKE)])
def test_texts_that_look_the_same_are_the_same(make_storage: Any, stored: str, typed: str) -> None:
    attributes = {"colour": stored, f"x {stored}": "named", "list": ["other", stored]}
    alike = MadeUp(stored, stored, category=f"{stored} > Sub", brand=stored, attributes=attributes)
    other = MadeUp("other", "Something else", category="Other", brand="Other",
                   attributes={"colour": "red", "list": ["red"]})  # fmt: skip
    generation = make_live(make_storage(), [alike, other])
    for field in ("id", "title", "brand", "category", "colour", "list"):
        assert met(generation, {field: typed}) == stored, field
        assert met(generation, {field: {"!=": typed}}) == "other", field
    assert met(generation, {f"X {typed}": "NAMED"}) == stored
    assert generation.typed_id(typed) == 1
    words = typed.split()
    if any(letter.isalnum() for letter in typed):
        assert generation.lexical(words, every=True).products.tolist() == [1]
        assert generation.document_frequency([typed]) == {typed: 1}
    card = next(iter(generation.scan()))
    assert (card.key, card.title, card.attributes) == (stored, stored, attributes), "as it came"
    assert [value for value, _ in generation.value_counts("COLOUR")] == sorted([stored, "red"])


@pytest.mark.parametrize("stored", [*UNSEEN, *(unicodedata.normalize("NFD", t) for t in ACCENTED)])
def test_an_id_is_one_however_it_is_spelt(make_storage: Any, stored: str) -> None:
    storage = make_storage()
    plain = " ".join(unicodedata.normalize("NFC", stored).split())
    if stored in UNSEEN:
        plain = SEEN[UNSEEN.index(stored)]
    generation = make_live(storage, [MadeUp(stored, "First"), MadeUp("B", "Second")])
    assert generation.product_ids([plain, stored]).tolist() == [1, 1]
    with storage.writing() as catalog:
        assert list(catalog.stored([plain, "nobody"], None)) == [plain]
        assert catalog.count_except({plain, "B"}) == 0
        write(catalog, [MadeUp(plain, "Changed")])
        assert catalog.counts()["products"] == 2
        assert catalog.remove_except({stored}) == 1
        assert list(catalog.stored([stored], None)) == [stored]


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
def test_lists_and_objects_are_asked_for(make_storage: Any, where: Any, expected: str) -> None:
    generation = make_live(make_storage(), NESTED)
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
def test_what_has_no_value_is_asked_for(make_storage: Any, where: Any, expected: str) -> None:
    assert met(make_live(make_storage(), LACKING), where) == expected


NAMES = ["a=b", "a<b", 'say "x"', '"quoted"', "a  b", "x!=y", ">=", "price (EUR)", "!", "a.b=c"]


@pytest.mark.parametrize("name", NAMES)
def test_a_column_is_asked_for_whatever_its_name(make_storage: Any, name: str) -> None:
    products = [MadeUp("A", "x", attributes={name: "c=d"}), MadeUp("B", "x", attributes={name: 5})]
    generation = make_live(make_storage(), products)
    doubled = name.replace('"', '""')
    for where in ({name: "c=d"}, [f'"{doubled}"=c=d'], [f' "{doubled}" = c=d '],
                  [str(Filter(name, "=", "c=d"))]):  # fmt: skip
        assert met(generation, where) == "A"
    assert met(generation, [f'"{doubled}"<6']) == met(generation, {name: {"<": 6}}) == "B"
    assert generation.field_names()[-1] == name


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
