"""Filters -> SQL of SQLite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Float, and_, cast, exists, func, or_, select

from retrieval.common.products import STEP_SEPARATORS
from retrieval.storage.filters import COLUMNS, Filter
from retrieval.storage.models import ProductRow

SQL_COLUMNS = {
    "id": ProductRow.key,
    "title": ProductRow.title,
    "category": ProductRow.category,
    "brand": ProductRow.brand,
    "price": ProductRow.price,
}


def condition(filters: Sequence[Filter]) -> ColumnElement[bool]:
    """The SQL of all filters together."""
    equal: dict[str, list[ColumnElement[bool]]] = {}
    others: list[ColumnElement[bool]] = []
    for filter_ in filters:
        if filter_.operator == "=":
            # Names of attributes are the same in any case.
            equal.setdefault(filter_.field.lower(), []).append(_equals(filter_))
        elif filter_.operator == "!=":
            others.append(~func.coalesce(_equals(filter_), False))
        else:
            others.append(_compares(filter_))
    return and_(*[or_(*alternatives) for alternatives in equal.values()], *others)


def _equals(filter_: Filter) -> ColumnElement[bool]:
    if filter_.field == "price":
        return ProductRow.price == filter_.number
    if filter_.field not in COLUMNS:
        return _has_attribute(filter_.field, lambda value, kind: _same_value(value, kind, filter_))
    column = SQL_COLUMNS[filter_.field]
    same: ColumnElement[bool] = func.lower(func.trim(column)) == func.lower(filter_.value)
    if filter_.field == "category":
        same = or_(same, _lies_below(column, filter_.value))
    return same


def _lies_below(column: Any, category: str) -> ColumnElement[bool]:
    """Whether `category_steps` of the column begin with those of `category`, and go on."""
    ways: list[ColumnElement[bool]] = []
    for number, separator in enumerate(STEP_SEPARATORS):
        # Where a surer sign splits, this one is part of a name.
        splits = [func.instr(column, surer) == 0 for surer in STEP_SEPARATORS[:number]]
        for prefix in (category + separator, f"{category} {separator}"):
            start = func.lower(func.substr(func.trim(column), 1, len(prefix)))
            ways.append(and_(start == func.lower(prefix), *splits))
    return or_(*ways)


def _compares(filter_: Filter) -> ColumnElement[bool]:
    if filter_.field == "price":
        return and_(ProductRow.price.is_not(None), _holds(ProductRow.price, filter_))
    if filter_.field in COLUMNS:
        column = SQL_COLUMNS[filter_.field]
        return and_(_is_number(column), _holds(cast(column, Float), filter_))
    return _has_attribute(
        filter_.field,
        lambda value, kind: and_(_has_number(value, kind), _holds(cast(value, Float), filter_)),
    )


def _holds(value: Any, filter_: Filter) -> ColumnElement[bool]:
    number = filter_.number
    compared: dict[str, ColumnElement[bool]] = {
        "<": value < number,
        "<=": value <= number,
        ">": value > number,
        ">=": value >= number,
    }
    return compared[filter_.operator]


def _has_attribute(
    name: str, test: Callable[[Any, Any], ColumnElement[bool]]
) -> ColumnElement[bool]:
    # By json_each, not by a JSON path: a path cannot spell every name that a column may have.
    each = func.json_each(ProductRow.attributes).table_valued("key", "value", "type")
    return exists(
        select(1)
        .select_from(each)
        .where(func.lower(each.c.key) == func.lower(name), test(each.c.value, each.c.type))
    )


def _same_value(value: Any, kind: Any, wanted: Filter) -> ColumnElement[bool]:
    # JSON's true and false have the values 1 and 0 in SQLite; their kind says their names.
    truth = and_(kind.in_(("true", "false")), kind == wanted.value.lower())
    same = and_(
        kind.not_in(("true", "false")), func.lower(func.trim(value)) == func.lower(wanted.value)
    )
    number = wanted.number
    if number is None:
        return or_(truth, same)
    return or_(truth, same, and_(_has_number(value, kind), cast(value, Float) == number))


def _has_number(value: Any, kind: Any) -> ColumnElement[bool]:
    # JSON says which are: SQLite would write large and small ones with an exponent.
    return or_(kind.in_(("integer", "real")), and_(kind == "text", _is_number(value)))


def _is_number(column: Any) -> ColumnElement[bool]:
    trimmed = func.trim(column)
    return and_(
        column.is_not(None),
        trimmed.op("GLOB")("*[0-9]*"),
        ~trimmed.op("GLOB")("*[^0-9.-]*"),
        ~trimmed.op("GLOB")("?*-*"),
        ~trimmed.op("GLOB")("*.*.*"),  # a date, a version
    )
