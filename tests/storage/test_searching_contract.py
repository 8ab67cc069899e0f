"""A search is answered alike on every engine, and its pages are cut from one list."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from retrieval.common.progress import Quiet
from retrieval.common.vectors import Vectors, normalise
from retrieval.errors import NotFound, QueryError
from retrieval.indexing.calibration import calibrate
from retrieval.searching.answering import answer
from retrieval.searching.query import make_query
from retrieval.storage.base import Generation
from tests.storage.conftest import ENGINES, Engine
from tests.support.storage import DIM, MadeUp, drawn, make_live, map_of, write

COUNT = 300
KINDS = ["chair", "table", "lamp", "sofa", "clock", "stool", "shelf", "mirror"]
COLOURS = ["red", "blue", "green", "black", "white"]
MATERIALS = ["oak", "steel", "glass", "walnut", "linen"]
FIRST = next(iter(ENGINES))


def embedded(text: str) -> Vectors:
    """(DIM,) the sum of its words: what shares words is near."""
    words = text.lower().replace(",", " ").split() or [text]
    return normalise(sum(drawn(word) for word in words))


class Model:
    """An encoder that knows each word by a vector of its own, and a photo by what its bytes say."""

    name, dim, backend, image_size = "made-up", DIM, "none", 64

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        return np.array([embedded(text) for text in texts], dtype=np.float32).reshape(-1, DIM)

    def encode_images(self, inputs: Sequence[Any]) -> Vectors:
        return self.encode_texts([bytes(each).decode() for each in inputs])


class ModelAtHand:
    """In place of `QueryEncoder`: there is nothing to load."""

    def of(self, generation: Generation) -> Model:
        assert generation.manifest.dim == DIM
        return Model()

    def read_photo(self, photo: Any, model: Model) -> Any:  # noqa: ARG002 - as the real one
        return np.frombuffer(photo, dtype=np.uint8)


def products() -> list[MadeUp]:
    """With up to four photos and three texts each; each tenth is a copy of the one before it."""
    random = np.random.default_rng(5)
    made: list[MadeUp] = []
    for number in range(COUNT):
        kind, colour = KINDS[random.integers(8)], COLOURS[random.integers(5)]
        material = MATERIALS[random.integers(5)]
        key = f"{'P' if number % 2 else 'p'}-{number * 7 % COUNT}"
        if number % 10 == 9:
            before = made[-1]
            made.append(MadeUp(**{**vars(before), "key": key}))
            continue
        title = "" if number % 23 == 0 else f"{colour} {kind}".capitalize()
        description = f"A {kind} of {material}, {colour} and plain" if number % 3 else ""
        photos = {
            f"{key}/{n}.jpg": normalise(embedded(f"{colour} {kind}") + 0.5 * drawn(f"{number} {n}"))
            for n in range(number % 5)
        }
        texts = [text for text in (title, description) if text]
        attributes: dict[str, Any] = {
            "colour": colour,
            "material": material,
            "new": number % 7 == 0,
        }
        if number % 4:
            attributes["weight"] = number % 13
        product = MadeUp(
            key,
            title,
            description,
            category=f"{'Home' if number % 2 else 'Office'} > {kind.capitalize()}s",
            brand=["Acme", "Blox", None][number % 3],
            price=None if number % 11 == 0 else float(number % 60) * 2.5,
            attributes=attributes if number % 17 else {},
            photos=photos,
            texts={text: embedded(text) for text in texts},
        )
        made.append(product)
    return made


@pytest.fixture(scope="module")
def generations(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Generation]:
    """The same catalog in each engine."""

    def published(engine: Engine) -> Generation:
        storage = engine.at(tmp_path_factory.mktemp(engine.name))
        with storage.writing(create=True) as catalog:
            write(catalog, products())
            with catalog.draft(Quiet()) as draft:
                draft.publish(calibrate(draft), map_of())
        return storage.current()

    return {name: published(engine) for name, engine in ENGINES.items()}


def asked(generation: Generation, text: Any = None, **options: Any) -> dict[str, Any]:
    """All of an answer but how long it took."""
    result = answer(make_query(text, **options), generation, ModelAtHand(), str)
    told = result.as_dict()
    for took in ("took_ms", "stages_ms"):
        del told[took]
    return json.loads(json.dumps(told))


QUERIES: list[tuple[Any, dict[str, Any]]] = [
    ("red chair", {}),
    ("a red chair", {"limit": 300}),
    ("oak", {"limit": 100}),
    ("oak table of steel", {"offset": 20}),
    ("unheard words", {}),
    ("chairs", {"mode": "lexical", "limit": 200}),
    ("red chair of linen", {"mode": "lexical", "limit": 60, "offset": 30}),
    ("unheard words", {"mode": "lexical"}),
    ("red chair", {"mode": "vector"}),
    ("red chair", {"mode": "vector", "limit": 300}),
    ("red chair", {"mode": "hybrid", "scope": "texts", "limit": 80}),
    ("red chair", {"scope": "images", "limit": 80}),
    ("red chair", {"scope": "texts", "mode": "vector", "offset": 200, "limit": 200}),
    (["red chair", "blue sofa"], {"limit": 50}),
    (["oak", "glass", "steel"], {"mode": "lexical", "limit": 50}),
    ("lamp", {"offset": 290}),
    ("lamp", {"offset": 10_000}),
    ("lamp", {"offset": 250, "limit": 1_000}),
    ("p-7", {}),
    ("P-7", {"limit": 300}),
    ("p-14", {"mode": "lexical"}),
    ("p-7", {"where": "colour=red"}),
    ("p-7", {"where": "id!=p-7"}),
    ("!!!", {}),
    ('"chair" OR table*', {"mode": "lexical"}),
    (None, {"like": "P-7"}),
    (None, {"like": "P-7", "limit": 300}),
    (None, {"like": ["P-7", "p-14"], "limit": 40}),
    (None, {"like": "p-0"}),
    (None, {"like": "P-7", "unlike": "p-14", "limit": 60}),
    (None, {"like": "P-7", "minus": "red"}),
    (None, {"like": "P-7", "scope": "texts", "limit": 60}),
    (None, {"like": "P-7", "where": "category=Home", "facets": True}),
    ("blue", {"like": "P-7", "limit": 60}),
    ("blue", {"like": "P-7", "limit": 60, "weights": {"text": 3}}),
    ("chair", {"minus": "red", "limit": 60}),
    ("chair", {"minus": ["red", "oak"], "mode": "lexical", "limit": 60}),
    ("chair", {"minus": "red", "mode": "vector", "weights": {"minus": 2}}),
    ("chair", {"unlike": "P-7", "limit": 300}),
    (None, {"image": b"red chair"}),
    (None, {"image": b"red chair", "limit": 300}),
    (None, {"image": [b"red chair", b"oak table"], "scope": "texts"}),
    ("glass", {"image": b"red chair", "limit": 100}),
    ("glass", {"image": b"red chair", "weights": "text=0.2,image=2", "facets": True}),
    ("glass", {"image": b"red chair", "weights": {"text": 0}}),
    ("chair", {"where": "category=Home"}),
    ("chair", {"where": ["category=Home", "colour=red", "colour=blue"], "limit": 100}),
    ("chair", {"where": {"price": {">=": 20, "<": 90}}, "limit": 100}),
    ("chair", {"where": "colour!=red", "limit": 300}),
    ("chair", {"where": "new=true", "mode": "lexical", "limit": 100}),
    ("chair", {"where": "weight>6", "mode": "vector", "limit": 100}),
    ("chair", {"where": "colour=none"}),
    ("chair", {"where": "brand=acme", "within": "category=Office > Chairs", "facets": True}),
    ("chair", {"facets": True}),
    ("red", {"facets": True, "offset": 30}),
    ("oak", {"facets": True, "where": ["colour=red", "price>=10", "price<=100"], "limit": 5}),
    ("oak", {"facets": True, "mode": "lexical", "where": "material=oak"}),
    ("sofa", {"facets": True, "scope": "images", "where": "category=Home > Sofas"}),
    ("plain", {"limit": 1_000}),
    ("plain", {"mode": "lexical", "offset": 100, "limit": 50}),
    ("a and of", {"limit": 30}),
]


@pytest.mark.parametrize("engine_name", [name for name in ENGINES if name != FIRST])
@pytest.mark.parametrize(("text", "options"), QUERIES)
def test_a_search_is_answered_alike_on_every_engine(
    generations: dict[str, Generation], engine_name: str, text: Any, options: dict[str, Any]
) -> None:
    expected = asked(generations[FIRST], text, **options)
    assert asked(generations[engine_name], text, **options) == expected


def test_the_queries_ask_for_all_kinds_of_answers(generations: dict[str, Generation]) -> None:
    told = [asked(generations[FIRST], text, **options) for text, options in QUERIES]
    hits = [hit for each in told for hit in each["results"]]
    assert {hit["matched"]["kind"] for hit in hits} == {"image", "text", "words", "id"}
    assert {hit["weak"] for hit in hits} == {True, False}
    assert any(each["total"] == 0 for each in told)
    assert any(len(each["results"]) == COUNT for each in told)
    facets = [facet for each in told for facet in each.get("facets", ())]
    assert {"category", "brand", "colour", "price"} <= {facet["field"] for facet in facets}
    tied = [
        (one["id"], two["id"])
        for each in told
        for one, two in itertools.pairwise(each["results"])
        if one["score"] == two["score"] not in (0, 1)
    ]
    assert len(tied) > 100
    assert sum(one < two for one, two in tied) > 0.9 * len(tied)


PAGED: list[tuple[Any, dict[str, Any]]] = [
    ("red chair", {}),
    ("chairs of oak", {"mode": "lexical"}),
    ("red chair", {"mode": "vector"}),
    ("p-7", {}),
    ("glass", {"like": "P-7"}),
    (None, {"like": "P-7", "unlike": "p-14"}),
    ("chair", {"where": ["category=Home", "price<100"], "minus": "red"}),
    (None, {"image": b"red chair", "scope": "texts"}),
]


@pytest.mark.parametrize("engine_name", ENGINES)
@pytest.mark.parametrize(("text", "options"), PAGED)
def test_pages_are_cut_from_one_list_to_its_end(
    generations: dict[str, Generation], engine_name: str, text: Any, options: dict[str, Any]
) -> None:
    generation = generations[engine_name]
    whole = asked(generation, text, limit=1_000, **options)
    size = 37
    pages = [
        asked(generation, text, limit=size, offset=offset, **options)
        for offset in range(0, whole["total"] + size, size)
    ]
    assert [hit for page in pages for hit in page["results"]] == whole["results"]
    assert {page["total"] for page in pages} == {whole["total"]}
    ids = [hit["id"] for hit in whole["results"]]
    assert len(ids) == len(set(ids)) == whole["total"] > size
    assert [hit["rank"] for hit in whole["results"]] == list(range(1, len(ids) + 1))
    assert not {options.get("like"), options.get("unlike")} & set(ids)


@pytest.mark.parametrize("engine_name", ENGINES)
def test_what_makes_no_sense_is_told_on_every_engine(
    generations: dict[str, Generation], engine_name: str
) -> None:
    generation = generations[engine_name]
    for options in ({"like": "nobody"}, {"like": "P-7", "unlike": "p-7"}):
        with pytest.raises(NotFound):
            asked(generation, None, **options)
    with pytest.raises(QueryError, match="colour"):
        asked(generation, "chair", where="colr=red")
    with pytest.raises(QueryError, match="weight 0"):
        asked(generation, "chair", weights={"text": 0})


@pytest.mark.parametrize("engine_name", ENGINES)
def test_an_index_of_nothing_answers_with_nothing(
    engine_name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    generation = make_live(ENGINES[engine_name].at(tmp_path_factory.mktemp("empty")))
    for options in ({}, {"mode": "lexical"}, {"mode": "vector"}, {"facets": True}):
        told = asked(generation, "red chair", **options)
        assert (told["total"], told["results"]) == (0, [])
