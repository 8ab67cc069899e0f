"""No text that comes from outside takes longer than its length: not typed, not in a cell.

A pattern that goes back and forth holds every other visitor, or a whole run, for minutes. What a
text costs is counted in processor time: a busy machine is no fault.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retrieval.common.prices import NoPrice, decimal_mark_of, read_price
from retrieval.common.products import category_steps
from retrieval.encoders.base import Encoder
from retrieval.errors import RetrievalError, SourceError
from retrieval.searching.lexical import query_words
from retrieval.searching.query import SearchOptions, make_query
from retrieval.settings import Settings
from retrieval.sources import open_source, parse_map
from retrieval.sources.cells import plain_text, title_from_path
from retrieval.sources.columns import normal_name
from retrieval.sources.records import RowReader
from retrieval.storage.folder.fts5 import match_expression
from tests.support.commands import run
from tests.support.shapes import SHAPES, slow

FIELDS = ("id", "title", "description", "image", "category", "brand", "price")
READER = RowReader({field: [field] for field in FIELDS}, Path(), 1_000_000)


def test_there_are_enough_shapes() -> None:
    assert len(SHAPES) >= 20 and min(map(len, SHAPES.values())) >= 100_000


CELLS: dict[str, Callable[[str], Any]] = {
    "text": lambda text: text,
    "list": lambda text: [text, text[:10]],
    "list as JSON": lambda text: json.dumps([text]),
    "object": lambda text: {"src": text, "alt": text[:10]},
    "bytes": lambda text: text.encode(),
    "within": lambda text: {"a": {"b": [{"name": "w", "value": text}]}},
}


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("field", [*FIELDS, "size"])
def test_a_long_cell_is_read_at_once(field: str, kind: str) -> None:
    def read(text: str) -> None:
        cells = {"id": "1", "title": "Mug", field: CELLS[kind](text)}
        record = READER.after_a_look([cells]).read(2, cells)
        assert record.key is not None or field == "id"
        if field == "category" and kind == "text":
            category_steps(text)

    assert slow(read) == {}


@pytest.mark.parametrize(
    "work",
    [plain_text, title_from_path, normal_name, category_steps, query_words],
    ids=lambda work: work.__name__,
)
def test_what_is_made_of_a_text_is_made_at_once(work: Callable[[str], object]) -> None:
    assert slow(work) == {}


def test_words_of_any_number_make_a_bounded_search() -> None:
    """FTS5 takes the square of the phrases of an expression, and of the words of a phrase."""
    for name, text in SHAPES.items():
        words = query_words(text)
        expression = match_expression(words, [text], every=True) or ""
        assert len(expression) < 20_000, name
    assert query_words("red Red RED, mug") == ["red", "mug"]
    assert query_words("CH-1771-OAK ch-1771-oak chair") == ["CH-1771-OAK", "chair"]
    assert len(query_words(" ".join(f"w{n}" for n in range(5_000)))) == 64


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
@pytest.mark.parametrize("place", ["cell", "column"])
def test_a_table_with_a_long_text_is_read_at_once(tmp_path: Path, suffix: str, place: str) -> None:
    def read(text: str) -> None:
        path = tmp_path / f"table{suffix}"
        path.write_text(_table(text, suffix, place), encoding="utf-8", newline="")
        try:
            list(open_source(path, Settings()))
        except SourceError as error:
            assert len(str(error)) < 2_000

    assert slow(read) == {}


def _table(text: str, suffix: str, place: str) -> str:
    if suffix == ".jsonl":
        row = {"id": "1", "title": "Mug", **({"w": text} if place == "cell" else {text: "w"})}
        return json.dumps(row) + "\n"
    sign = "\t" if suffix == ".tsv" else ","
    quoted = '"' + text.replace('"', '""') + '"'
    header, cells = ["id", "title", "w"], ["1", "Mug", "2"]
    (cells if place == "cell" else header)[2] = quoted
    return f"{sign.join(header)}\n{sign.join(cells)}\n"


def test_a_long_price_is_refused_at_once() -> None:
    def read(text: str) -> None:
        assert decimal_mark_of([text]) is None
        with pytest.raises(NoPrice):
            read_price(text)

    assert slow(read) == {}


@pytest.mark.parametrize("option", ["text", *SearchOptions.__annotations__])
def test_a_long_option_from_python_is_checked_at_once(option: str) -> None:
    def ask(text: str) -> None:
        options: dict[str, Any] = {"text": "mug"}
        try:
            make_query(**(options | {option: text}))
        except (RetrievalError, TypeError) as error:
            assert len(str(error)) < 300_000

    assert slow(ask) == {}
    if option in ("where", "within"):
        assert slow(lambda text: _refused({option: [f"{text}=1", f"category={text}"]})) == {}
        assert slow(lambda text: _refused({option: {"price": {"<": text}}})) == {}


def _refused(options: dict[str, Any]) -> None:
    with contextlib.suppress(RetrievalError):
        make_query("mug", **options)


@pytest.mark.parametrize(
    "option", ["", "--minus", "--like", "--where", "--weights", "--mode", "--in", "--limit"]
)
def test_a_long_argument_is_answered_at_once(index: Path, option: str) -> None:
    base = ("search", "--index", index, "--json")
    assert run(*base, "mug").exit_code == 0  # what is made once is made now

    def ask(text: str) -> None:
        answer = run(*base, *(("mug", option, text) if option else ("--", text)))
        assert answer.exit_code in (0, 2) or isinstance(answer.exception, RetrievalError)

    assert slow(ask) == {}


def test_a_long_mapping_is_refused_at_once() -> None:
    def read(text: str) -> None:
        with contextlib.suppress(SourceError):
            parse_map(f"title={text},{text}")

    assert slow(read) == {}


@pytest.mark.parametrize(
    "shape", ["entity without end", "digits", "lists in lists", "word and space"]
)
def test_a_model_is_not_ended_by_a_text(tiny_encoder: Encoder, shape: str) -> None:
    """Python makes no number of more than 4,300 digits: an entity with as many ended the run."""
    vectors = tiny_encoder.encode_texts([SHAPES[shape][:10_000], "mug"])
    assert vectors.shape[0] == 2
