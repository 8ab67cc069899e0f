"""Judgements of real searches: what was asked, and which products were right.

Read from logs of searches and clicks, or from TREC's qrels with a file of queries; runs are read
and written as TREC has them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from retrieval.common.products import Reject
from retrieval.errors import SourceError
from retrieval.sources import open_table
from retrieval.sources.columns import ALIASES, find_column

Run = dict[str, dict[str, float]]

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq")
QUERY_COLUMNS = ("query", "search", "text", "description", "title", "q")
GRADE_COLUMNS = ("relevance", "grade", "gain", "rel")
COUNT_COLUMNS = ("clicks", "count", "purchases")
QUERY_ID_COLUMNS = ("query_id", "qid", "topic", "id")
# A product clicked at least this share as often as the query's favourite is of the next grade.
SHARES_OF_GRADES = (1 / 3, 2 / 3)
TAG = "retrieval"


@dataclass(frozen=True)
class Judgements:
    """Queries and what is right for them.

    Attributes:
        queries: query id -> what was asked; empty where only ids are known.
        relevance: query id -> product id -> grade; 0 and below is not relevant.
        rejects: rows that could not be used.
    """

    queries: Mapping[str, str]
    relevance: Mapping[str, Mapping[str, float]]
    rejects: tuple[Reject, ...] = ()


def read_judgements(path: Path, queries: Path | None = None) -> Judgements:
    """Judgements from a table, or from TREC qrels.

    A table (CSV, TSV, JSONL, Parquet) has a column `query` and one of product ids, and may have
    `relevance`, or `clicks`; without either each row is one click. Clicks become grades 1 to 3
    by their share of the query's most clicked product. Qrels are lines of `query-id 0 product-id
    relevance`; `queries` then says what was asked: lines of `query-id<TAB>text`, or a table.

    Raises:
        SourceError: a file cannot be read, or has no usable row.
    """
    if path.suffix.lower() in TABLES:
        return _from_table(path)
    relevance, rejects = _read_qrels(path)
    texts = _read_queries(queries) if queries else {}
    missing = [query for query in relevance if query not in texts] if texts else []
    rejects += [
        Reject(None, query, "query", "", f"{queries} does not say what was asked")
        for query in missing
    ]
    kept = {query: judged for query, judged in relevance.items() if query not in missing}
    if not kept:
        raise SourceError(
            f"{path} has no usable judgement ({len(rejects)} rejected); give a table with columns "
            "query,product_id or TREC qrels: lines of `query-id 0 product-id relevance`"
        )
    return Judgements(texts, kept, tuple(rejects))


def read_run(path: Path) -> Run:
    """Lines of `query-id Q0 product-id rank score tag`; raises SourceError."""
    run: Run = defaultdict(dict)
    for number, parts in _fields(path):
        try:
            run[parts[0]][parts[2]] = float(parts[4])
        except (IndexError, ValueError):
            raise SourceError(
                f"{path}, line {number}: not `query-id Q0 product-id rank score tag`"
            ) from None
    return dict(run)


def write_run(path: Path, run: Mapping[str, Sequence[str]]) -> None:
    """Writes rankings (query id -> product ids, best first) as a TREC run.

    Scores count down from the length of the ranking, so that they say the same as the ranks.
    """
    lines = []
    for query, products in run.items():
        _check_fields(path, [query, *products])
        for rank, product in enumerate(products, start=1):
            lines.append(f"{query} Q0 {product} {rank} {len(products) - rank + 1} {TAG}\n")
    _write(path, lines)


def write_qrels(path: Path, relevance: Mapping[str, Mapping[str, float]]) -> None:
    """Writes judgements as TREC qrels.

    Raises:
        SourceError: an id holds white space, a grade is no whole number, or it cannot be written.
    """
    lines = []
    for query, judged in relevance.items():
        _check_fields(path, [query, *judged])
        if any(grade != int(grade) for grade in judged.values()):
            raise SourceError(f"{path}: qrels hold whole numbers only; grade in whole steps")
        lines += [f"{query} 0 {product} {int(grade)}\n" for product, grade in judged.items()]
    _write(path, lines)


def _from_table(path: Path) -> Judgements:
    table = open_table(path)
    query_column = find_column(table.columns, QUERY_COLUMNS)
    product_column = find_column(table.columns, ALIASES["id"])
    if query_column is None or product_column is None:
        missing = "`query`" if query_column is None else "`product_id`"
        raise SourceError(f"{path} has no column {missing}; name one so in its header")
    grade_column = find_column(table.columns, GRADE_COLUMNS)
    count_column = find_column(table.columns, COUNT_COLUMNS)
    totals: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    rejects: list[Reject] = []
    for item in table.rows():
        if isinstance(item, Reject):
            rejects.append(item)
            continue
        row, cells = item
        asked = " ".join(str(cells.get(query_column) or "").split())
        product = str(cells.get(product_column) or "").strip()
        cell = cells.get(grade_column or count_column or "", 1)
        try:
            amount = float(cell)
        except (TypeError, ValueError):
            amount = float("nan")
        if not asked or not product or not abs(amount) < float("inf"):
            rejects.append(_fault(row, asked, product, cell, grade_column or count_column))
        elif grade_column:
            totals[asked][product] = max(amount, totals[asked].get(product, amount))
        else:
            totals[asked][product] += amount
    if not totals:
        raise SourceError(f"{path} has no usable row ({len(rejects)} rejected)")
    relevance = {
        asked: dict(amounts) if grade_column else _grades(amounts)
        for asked, amounts in totals.items()
    }
    ids = {asked: f"q{number}" for number, asked in enumerate(relevance, start=1)}
    return Judgements(
        {ids[asked]: asked for asked in relevance},
        {ids[asked]: judged for asked, judged in relevance.items()},
        tuple(rejects),
    )


def _fault(row: int, asked: str, product: str, cell: object, column: str | None) -> Reject:
    if asked and product:
        return Reject(row, product, column or "", str(cell)[:100], "not a number; correct it")
    missing = "product id" if asked else "query"
    return Reject(row, product or None, "row", "", f"lacks the {missing}; fill it in")


def _grades(clicks: Mapping[str, float]) -> dict[str, float]:
    most = max(clicks.values())
    return {
        product: 1 + sum(count / most >= share for share in SHARES_OF_GRADES) if count > 0 else 0
        for product, count in clicks.items()
    }


def _read_qrels(path: Path) -> tuple[dict[str, dict[str, int]], list[Reject]]:
    relevance: dict[str, dict[str, int]] = defaultdict(dict)
    rejects: list[Reject] = []
    for number, parts in _fields(path):
        try:
            relevance[parts[0]][parts[2]] = int(parts[3])
        except (IndexError, ValueError):
            reason = "not `query-id 0 product-id relevance`"
            rejects.append(Reject(number, None, "row", " ".join(parts)[:100], reason))
    return dict(relevance), rejects


def _read_queries(path: Path) -> dict[str, str]:
    if path.suffix.lower() in TABLES and path.suffix.lower() != ".tsv":
        table = open_table(path)
        key = find_column(table.columns, QUERY_ID_COLUMNS)
        text = find_column(table.columns, QUERY_COLUMNS)
        if key is None or text is None:
            raise SourceError(f"{path} has no columns `query_id` and `query`")
        rows = [item[1] for item in table.rows() if not isinstance(item, Reject)]
        queries = {str(cells.get(key) or ""): str(cells.get(text) or "").strip() for cells in rows}
        return {query: words for query, words in queries.items() if query and words}
    queries = {}
    for line in _lines(path):
        key, tab, text = line.partition("\t")
        if tab and text.strip():
            queries[key.strip()] = text.strip()
    if not queries:
        raise SourceError(f"{path} has no line of `query-id<TAB>text`")
    return queries


def _fields(path: Path) -> list[tuple[int, list[str]]]:
    return [(n, line.split()) for n, line in enumerate(_lines(path), start=1) if line.strip()]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeError) as error:
        raise SourceError(f"{path} cannot be read ({error})") from None


def _write(path: Path, lines: Sequence[str]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines), "utf-8")
    except OSError as error:
        raise SourceError(f"{path} cannot be written ({error.strerror})") from None


def _check_fields(path: Path, names: Sequence[str]) -> None:
    wrong = next((name for name in names if not name or name.split() != [name]), None)
    if wrong is not None:
        raise SourceError(
            f"{path}: TREC's files cannot hold the id {wrong!r}, which has white space in it; "
            "give products ids without, or take the figures from --json"
        )
