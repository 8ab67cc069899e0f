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
_EXPRESSION = re.compile(r"([^<>=!]*)(<=|>=|!=|<|>|=)(.*)", re.DOTALL)


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
    match = _EXPRESSION.fullmatch(expression)
    if not (match and match[1].strip()):
        raise QueryError(
            f"filter {expression!r} is not FIELD=VALUE; operators: {' '.join(OPERATORS)}"
        )
    field, operator, value = (part.strip() for part in match.groups())
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
            _checked(filter_) if isinstance(filter_, Filter) else parse_filter(filter_)
            for filter_ in where
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
    return tuple(_checked(filter_) for filter_ in filters)


def _checked(filter_: Filter) -> Filter:
    if filter_.field.lower() in COLUMNS:
        filter_ = replace(filter_, field=filter_.field.lower())
    if filter_.operator not in OPERATORS:
        raise QueryError(
            f"operator {filter_.operator!r} is unknown; operators: {' '.join(OPERATORS)}"
        )
    if "\0" in filter_.field + filter_.value or not is_unicode(filter_.field + filter_.value):
        raise QueryError(f"filter on {filter_.field!r} holds characters that no text has")
    needs_number = filter_.operator in ("<", "<=", ">", ">=") or filter_.field == "price"
    if needs_number and filter_.number is None:
        raise QueryError(f"filter {str(filter_)!r}: {filter_.value!r} is not a number")
    return filter_


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
