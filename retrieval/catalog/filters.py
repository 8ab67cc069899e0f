"""`category=Chairs`, `price<100`, `colour=red`: conditions on products, as SQL.

Several values of one field are alternatives; several fields must all hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Float, and_, case, cast, func, or_

from retrieval.catalog.models import Product
from retrieval.errors import QueryError

OPERATORS = ("<=", ">=", "!=", "<", ">", "=")
COLUMNS = {
    "id": Product.key,
    "title": Product.title,
    "category": Product.category,
    "brand": Product.brand,
    "price": Product.price,
}
_EXPRESSION = re.compile(r"\s*([^<>=!]+?)\s*(<=|>=|!=|<|>|=)\s*(.*?)\s*", re.DOTALL)


@dataclass(frozen=True)
class Filter:
    """One condition: `field` is a column or the name of an attribute."""

    field: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{self.field}{self.operator}{self.value}"


def parse_filter(expression: str) -> Filter:
    """Raises QueryError where it is not FIELD OPERATOR VALUE, or compares with no number."""
    found = _EXPRESSION.fullmatch(expression)
    if not found:
        raise QueryError(
            f"filter {expression!r} is not FIELD=VALUE; operators: {' '.join(OPERATORS)}"
        )
    return _checked(Filter(*found.groups()))


def filters_from(where: Mapping[str, Any] | Iterable[str] | None) -> tuple[Filter, ...]:
    """Filters from expressions, or from `{"category": "Chairs", "price": {"<": 100}}`.

    A value may be a list (any of them), or a mapping of operators to values.
    """
    if where is None:
        return ()
    if not isinstance(where, Mapping):
        return tuple(parse_filter(expression) for expression in where)
    filters: list[Filter] = []
    for field, wanted in where.items():
        if isinstance(wanted, Mapping):
            filters += [Filter(field, str(op), _text(value)) for op, value in wanted.items()]
        elif isinstance(wanted, Sequence) and not isinstance(wanted, str):
            filters += [Filter(field, "=", _text(value)) for value in wanted]
        else:
            filters.append(Filter(field, "=", _text(wanted)))
    return tuple(_checked(one) for one in filters)


def condition(filters: Sequence[Filter]) -> ColumnElement[bool]:
    """The SQL of all filters together."""
    equal: dict[str, list[ColumnElement[bool]]] = {}
    others: list[ColumnElement[bool]] = []
    for one in filters:
        if one.operator == "=":
            equal.setdefault(one.field, []).append(_equals(one))
        elif one.operator == "!=":
            others.append(~func.coalesce(_equals(one), False))
        else:
            others.append(_compares(one))
    return and_(*[or_(*alternatives) for alternatives in equal.values()], *others)


def _equals(one: Filter) -> ColumnElement[bool]:
    column = _column(one.field)
    number = _number(one.value)
    if one.field == "price":
        return Product.price == number
    same: ColumnElement[bool] = func.lower(func.trim(column)) == one.value.lower()
    if one.field == "category":
        # `Men/Tops` is also the category of what lies below it.
        for separator in ("/", " > ", ">"):
            prefix = one.value.lower() + separator
            same = or_(same, func.substr(func.lower(column), 1, len(prefix)) == prefix)
    elif number is not None and one.field not in COLUMNS:
        same = or_(same, and_(_is_number(column), cast(column, Float) == number))
    return same


def _compares(one: Filter) -> ColumnElement[bool]:
    column: Any = _column(one.field)
    number = _number(one.value)
    assert number is not None  # _checked has seen to it
    value = column if one.field == "price" else cast(column, Float)
    holds = {
        "<": value < number,
        "<=": value <= number,
        ">": value > number,
        ">=": value >= number,
    }[one.operator]
    held: ColumnElement[bool] = holds
    return and_(held, column.is_not(None) if one.field == "price" else _is_number(column))


def _column(field: str) -> Any:
    if field in COLUMNS:
        return COLUMNS[field]
    # A JSON path: the name is quoted in it, and the whole is a bound value, never SQL.
    path = '$."' + field.replace("\\", "\\\\").replace('"', '\\"') + '"'
    value = func.json_extract(Product.attributes, path)
    # JSON's true and false come out of SQLite as 1 and 0.
    kind = func.json_type(Product.attributes, path)
    return case((kind == "true", "true"), (kind == "false", "false"), else_=value)


def _is_number(column: Any) -> ColumnElement[bool]:
    trimmed = func.trim(column)
    return and_(
        column.is_not(None),
        trimmed.op("GLOB")("*[0-9]*"),
        ~trimmed.op("GLOB")("*[^0-9.+eE-]*"),
    )


def _checked(one: Filter) -> Filter:
    if one.operator not in OPERATORS:
        raise QueryError(f"operator {one.operator!r} is unknown; operators: {' '.join(OPERATORS)}")
    needs_number = one.operator in ("<", "<=", ">", ">=") or one.field == "price"
    if needs_number and _number(one.value) is None:
        raise QueryError(f"filter {str(one)!r}: {one.value!r} is not a number")
    return one


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if number == number and abs(number) != float("inf") else None


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
