"""`category=Chairs`, `price<100`, `colour=red`: conditions on products, as SQL.

Several values of one field are alternatives; several fields must all hold.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from retrieval.common.products import PRODUCT_FIELDS
from retrieval.common.text import is_unicode
from retrieval.errors import QueryError

OPERATORS = ("<=", ">=", "!=", "<", ">", "=")
COLUMNS = tuple(field.name for field in PRODUCT_FIELDS if field.filtered)
_EXPRESSION = re.compile(r"\s*([^<>=!]+?)\s*(<=|>=|!=|<|>|=)\s*(.*?)\s*", re.DOTALL)


@dataclass(frozen=True)
class Filter:
    """One condition: `field` is a column or the name of an attribute."""

    field: str
    operator: str
    value: str

    def __str__(self) -> str:
        return f"{self.field}{self.operator}{self.value}"

    @property
    def number(self) -> float | None:
        """The value as a finite number; None where it is none."""
        try:
            number = float(self.value)
        except ValueError:
            return None
        return number if math.isfinite(number) else None


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


def _checked(one: Filter) -> Filter:
    if one.field.lower() in COLUMNS:
        one = replace(one, field=one.field.lower())
    if one.operator not in OPERATORS:
        raise QueryError(f"operator {one.operator!r} is unknown; operators: {' '.join(OPERATORS)}")
    if "\0" in one.field + one.value or not is_unicode(one.field + one.value):
        raise QueryError(f"filter on {one.field!r} holds characters that no text has")
    needs_number = one.operator in ("<", "<=", ">", ">=") or one.field == "price"
    if needs_number and one.number is None:
        raise QueryError(f"filter {str(one)!r}: {one.value!r} is not a number")
    return one


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
