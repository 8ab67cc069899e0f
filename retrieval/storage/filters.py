"""`category=Chairs`, `price<100`, `"a=b"=c`: conditions on products, what they mean anywhere.

Several values of one field are alternatives; several fields must all hold. Names and values are
compared `folded`. Equality never goes through floats: `text_of` and `equal_number` say what is
equal, exactly; an engine may store what they give.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from retrieval.common.products import PRODUCT_FIELDS
from retrieval.common.text import folded, is_unicode
from retrieval.errors import QueryError

OPERATORS = ("<=", ">=", "!=", "<", ">", "=")
COLUMNS = tuple(field.name for field in PRODUCT_FIELDS if field.filtered)
_OPERATOR = re.compile("<=|>=|!=|<|>|=")
_QUOTED = re.compile(r'\s*"((?:[^"]|"")+)"\s*')
# `007` is a code and `1.2.3` a version: texts, which equal themselves alone.
_PLAIN = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_SCIENTIFIC = re.compile(r"-?[0-9](?:\.[0-9]+)?[eE][+-]?[0-9]{1,3}")
_COMPARED = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
_SCALARS = (str, int, float, Decimal, datetime.date, datetime.time)


@dataclass(frozen=True)
class Filter:
    """One condition: `field` is a column or the name of an attribute, or of a field within one
    (`size.w`); `value` is empty for what has none."""

    field: str
    operator: str
    value: str

    def __str__(self) -> str:
        """As `parse_filter` reads it."""
        return f"{quoted_name(self.field)}{self.operator}{self.value}"

    @property
    def name(self) -> str:
        """The field as names are compared."""
        return folded(self.field)

    @property
    def number(self) -> Decimal | None:
        """The value as a finite number, exactly; None where it is none."""
        try:
            number = Decimal(self.value.strip())
            return number if math.isfinite(float(number)) else None
        except (InvalidOperation, ValueError, OverflowError):
            return None


def quoted_name(field: str) -> str:
    """A field's name as it stands in an expression: in quotes where an operator is part of it."""
    if re.search('[<>=!]|^"', field):
        return '"' + field.replace('"', '""') + '"'
    return field


def split_name(expression: str) -> tuple[str, str] | None:
    """(name, the rest from its operator on) of an expression; None where there is no operator."""
    quoted = _QUOTED.match(expression)
    if quoted and _OPERATOR.match(expression, quoted.end()):
        return quoted[1].replace('""', '"'), expression[quoted.end() :]
    sign = _OPERATOR.search(expression)
    return (
        None if sign is None else (expression[: sign.start()].strip(), expression[sign.start() :])
    )


def parse_equality(expression: str) -> tuple[str, str] | None:
    """(name, value) of NAME=VALUE, as a form sends it: but in quotes a name ends with the first
    `=`; None where there is none."""
    quoted = _QUOTED.match(expression)
    if quoted and expression.startswith("=", quoted.end()):
        return quoted[1].replace('""', '"'), expression[quoted.end() + 1 :]
    name, equals, value = expression.partition("=")
    return (name, value) if name.strip() and equals else None


def parse_filter(expression: str) -> Filter:
    """Raises QueryError where it is not FIELD OPERATOR VALUE, or compares with no number."""
    name_and_rest = split_name(expression)
    if name_and_rest is None or not name_and_rest[0]:
        raise QueryError(
            f"filter {expression[:200]!r} is not FIELD=VALUE; operators: {' '.join(OPERATORS)}"
        )
    field, rest = name_and_rest
    operator = next(sign for sign in OPERATORS if rest.startswith(sign))
    return _checked(Filter(field, operator, rest[len(operator) :].strip()))


Where = Mapping[str, Any] | Iterable[str | Filter] | str | None


def filters_from(where: Where) -> tuple[Filter, ...]:
    """Filters from expressions, or from `{"category": "Chairs", "price": {"<": 100}}`.

    A value may be a list (any of them), None (products that have none), or a mapping of operators
    to values. Raises QueryError for what no filter can mean.
    """
    if where is None:
        return ()
    if isinstance(where, str):
        return (parse_filter(where),)
    if isinstance(where, Mapping):
        filters = [
            filter_ for field, wanted in where.items() for filter_ in _of_field(field, wanted)
        ]
        return tuple(_checked(filter_) for filter_ in filters)
    if not _is_list(where):
        raise QueryError(f"filters are a mapping or a list of FIELD=VALUE, not {where!r:.100}")
    return tuple(_of_expression(expression) for expression in where)


def _of_expression(expression: Any) -> Filter:
    if isinstance(expression, Filter):
        return _checked(expression)
    if not isinstance(expression, str):
        raise QueryError(f"filter {expression!r:.100} is not FIELD=VALUE")
    return parse_filter(expression)


def _of_field(field: Any, wanted: Any) -> Iterator[Filter]:
    if not isinstance(field, str):
        raise QueryError(f"filter on {field!r:.100}: a field goes by its name")
    conditions = wanted if isinstance(wanted, Mapping) else {"=": wanted}
    if not conditions:
        raise _without_value(field)
    for operator, value in conditions.items():
        if _is_list(value) and operator not in ("=", "!="):
            raise QueryError(f"filter on {field!r}: {operator!r:.20} takes one value, not several")
        values = list(value) if _is_list(value) else [value]
        if not values:
            raise _without_value(field)
        for each in values:
            yield Filter(field, str(operator), _text(field, each))


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)


def _without_value(field: str) -> QueryError:
    return QueryError(f"filter on {field!r} has no value; leave it out, or give one")


def _text(field: str, value: Any) -> str:
    if value is None:
        return ""
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, _SCALARS) or (isinstance(value, float) and not math.isfinite(value)):
        raise QueryError(f"filter on {field!r}: {value!r:.100} is no value to filter by")
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)


def _checked(filter_: Filter) -> Filter:
    if not all(isinstance(part, str) for part in vars(filter_).values()):
        raise QueryError(f"filter {filter_!r:.200} is not made of texts")
    if filter_.name in COLUMNS:
        filter_ = Filter(filter_.name, filter_.operator, filter_.value)
    if not filter_.name:
        raise QueryError(f"filter {str(filter_)[:200]!r} names no field")
    if filter_.operator not in OPERATORS:
        raise QueryError(
            f"operator {filter_.operator!r} is unknown; operators: {' '.join(OPERATORS)}"
        )
    if "\0" in filter_.field + filter_.value or not is_unicode(filter_.field + filter_.value):
        raise QueryError(f"filter on {filter_.field!r} holds characters that no text has")
    is_equality = filter_.operator in ("=", "!=")
    needs_number = not is_equality or (filter_.field == "price" and folded(filter_.value) != "")
    if needs_number and filter_.number is None:
        raise QueryError(f"filter {str(filter_)!r}: {filter_.value!r} is not a number")
    return filter_


# What products have


def leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """(name, value) of all that a field holds: of a list each item, of an object `size.w`.

    Of a list of objects with `name` and `value`, as feeds list what a product has, each value goes
    by the name of the list, too. What holds nothing is one None.
    """
    waiting: list[tuple[str, Any, bool]] = [(name, value, False)]
    while waiting:  # no recursion: how deep it goes is up to whoever wrote the feed
        name, value, listed = waiting.pop()
        if isinstance(value, list) and value:
            waiting += [(name, item, True) for item in reversed(value)]
        elif isinstance(value, dict) and value:
            waiting += [(f"{name}.{key}", item, False) for key, item in reversed(value.items())]
            if listed and "name" in value and "value" in value:
                waiting.append((name, value["value"], False))
        else:
            yield name, None if isinstance(value, list | dict) else value


def text_of(value: Any) -> str:
    """What equality compares first: a value as it is written, folded; empty where there is none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return folded(str(value))


def equal_number(value: Any) -> Decimal | None:
    """The number that a value equals; None for texts that are more than a plain number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return Decimal(text) if _PLAIN.fullmatch(text := folded(value)) else None
    return _of_number(value)


def asked_number(text: str, *, of_text: bool) -> Decimal | None:
    """The number that is asked for; `1e3` for what stands in a text is none."""
    text = folded(text)
    if _PLAIN.fullmatch(text) or (not of_text and _SCIENTIFIC.fullmatch(text)):
        return Decimal(text)
    return None


def compared_number(value: Any) -> Decimal | None:
    """The number that `<` and `>` compare; None for dates, versions and other texts."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return Decimal(text) if _COMPARED.fullmatch(text := folded(value)) else None
    return _of_number(value)


def _of_number(value: Any) -> Decimal | None:
    if isinstance(value, int):
        return Decimal(value)
    # As it is written: 0.1, and not the binary fraction next to it.
    return Decimal(repr(value)) if isinstance(value, float) and math.isfinite(value) else None
