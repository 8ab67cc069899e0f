"""`category=Chairs`, `price<100`, `colour=red`: conditions on products, as SQL.

Several values of one field are alternatives; several fields must all hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Float, and_, cast, exists, func, or_, select

from retrieval.common.text import is_unicode
from retrieval.errors import QueryError
from retrieval.storage.models import Product

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
    field, operator, value = found.groups()
    return _checked(Filter(field, operator, value))


Where = Mapping[str, Any] | Iterable[str | Filter] | str | None


def filters_from(where: Where) -> tuple[Filter, ...]:
    """Filters from expressions, or from `{"category": "Chairs", "price": {"<": 100}}`.

    A value may be a list (any of them), or a mapping of operators to values.
    """
    if where is None:
        return ()
    if isinstance(where, str):
        return (parse_filter(where),)
    if not isinstance(where, Mapping):
        return tuple(
            _checked(one) if isinstance(one, Filter) else parse_filter(one) for one in where
        )
    filters: list[Filter] = []
    for field, wanted in where.items():
        if isinstance(wanted, Mapping):
            filters += [Filter(field, str(op), _text(value)) for op, value in wanted.items()]
        elif isinstance(wanted, Collection) and not isinstance(wanted, str):
            if not wanted:
                raise QueryError(f"filter on {field!r} has no value; leave it out, or give one")
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
    if one.field == "price":
        return Product.price == _number(one.value)
    if one.field not in COLUMNS:
        return _has_attribute(one.field, lambda value, kind: _same_value(value, kind, one.value))
    column = COLUMNS[one.field]
    same: ColumnElement[bool] = func.lower(func.trim(column)) == func.lower(one.value)
    if one.field == "category":
        # `Men/Tops` is also the category of what lies below it.
        for separator in ("/", " > ", ">"):
            prefix = one.value + separator
            start = func.lower(func.substr(column, 1, len(prefix)))
            same = or_(same, start == func.lower(prefix))
    return same


def _compares(one: Filter) -> ColumnElement[bool]:
    if one.field == "price":
        return and_(Product.price.is_not(None), _holds(Product.price, one))
    if one.field in COLUMNS:
        column = COLUMNS[one.field]
        return and_(_is_number(column), _holds(cast(column, Float), one))
    return _has_attribute(
        one.field, lambda value, _: and_(_is_number(value), _holds(cast(value, Float), one))
    )


def _holds(value: Any, one: Filter) -> ColumnElement[bool]:
    number = _number(one.value)
    compared: dict[str, ColumnElement[bool]] = {
        "<": value < number,
        "<=": value <= number,
        ">": value > number,
        ">=": value >= number,
    }
    return compared[one.operator]


def _has_attribute(
    name: str, test: Callable[[Any, Any], ColumnElement[bool]]
) -> ColumnElement[bool]:
    # By json_each, not by a JSON path: a path cannot spell every name that a column may have.
    each = func.json_each(Product.attributes).table_valued("key", "value", "type")
    return exists(
        select(1)
        .select_from(each)
        .where(func.lower(each.c.key) == func.lower(name), test(each.c.value, each.c.type))
    )


def _same_value(value: Any, kind: Any, wanted: str) -> ColumnElement[bool]:
    # JSON's true and false have the values 1 and 0 in SQLite; their kind says their names.
    truth = and_(kind.in_(("true", "false")), kind == wanted.lower())
    same = and_(kind.not_in(("true", "false")), func.lower(func.trim(value)) == func.lower(wanted))
    number = _number(wanted)
    if number is None:
        return or_(truth, same)
    return or_(truth, same, and_(_is_number(value), cast(value, Float) == number))


def _is_number(column: Any) -> ColumnElement[bool]:
    trimmed = func.trim(column)
    return and_(
        column.is_not(None),
        trimmed.op("GLOB")("*[0-9]*"),
        ~trimmed.op("GLOB")("*[^0-9.-]*"),
        ~trimmed.op("GLOB")("?*-*"),
    )


def _checked(one: Filter) -> Filter:
    if one.field.lower() in COLUMNS:
        one = replace(one, field=one.field.lower())
    if one.operator not in OPERATORS:
        raise QueryError(f"operator {one.operator!r} is unknown; operators: {' '.join(OPERATORS)}")
    if "\0" in one.field + one.value or not is_unicode(one.field + one.value):
        raise QueryError(f"filter on {one.field!r} holds characters that no text has")
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
