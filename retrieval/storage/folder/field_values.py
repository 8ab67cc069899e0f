"""The values of one field in a generation, by what filters compare: filters -> masks.

Read once for a field, then held: a filter, or one of ten thousand values, is a look into a table
in memory, where SQL would go through all rows and read the JSON of each anew.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval.common.products import STEP_SEPARATORS, category_steps
from retrieval.common.text import folded
from retrieval.storage.entities import Flags
from retrieval.storage.filters import (
    COLUMNS,
    Filter,
    asked_number,
    compared_number,
    equal_number,
    leaves,
    text_of,
)

CATEGORY = "category"
PRICE = "price"


class FieldValues:
    """Which products have which values of a field.

    Args:
        products: how many there are.
        values: (place of a product, one of its values), in any order.
    """

    def __init__(self, field: str, products: int, values: Iterable[tuple[int, object]]) -> None:
        self._field = field
        self._products = products
        self._codes: dict[str, int] = {}
        # Distinct values, in the order of their codes, as one product has them.
        self._samples: list[object] = []
        places, codes = array("q"), array("q")
        known: dict[str, int] = {}
        for place, value in values:
            code = known.get(value) if isinstance(value, str) else None
            if code is None:
                text = text_of(value)
                code = self._codes.setdefault(text, len(self._codes)) if text else -1
                if code == len(self._samples):
                    self._samples.append(value)
                elif code >= 0 and not isinstance(value, str):
                    self._samples[code] = value  # a number, which others have as a text
                if isinstance(value, str):
                    known[value] = code
            if code >= 0:
                places.append(place)
                codes.append(code)
        self._places = np.array(places, dtype=np.int64)
        self._held = np.array(codes, dtype=np.int64)

    def equal(self, values: Iterable[str]) -> Flags:
        """(products,) which have any of the values; empty: which have none."""
        wanted: set[int] = set()
        mask = np.zeros(self._products, dtype=np.bool_)
        for value in values:
            if not folded(value):
                mask |= ~self._holding(range(len(self._codes)))
            else:
                wanted.update(self._equal_to(value))
        return mask | self._holding(wanted)

    def compared(self, filter_: Filter) -> Flags:
        """(products,) which have a number that is less, or more, as the filter says."""
        number = filter_.number
        assert number is not None, "a comparison has a number"
        holds: Callable[[Decimal], bool] = {
            "<": number.__gt__,
            "<=": number.__ge__,
            ">": number.__lt__,
            ">=": number.__le__,
        }[filter_.operator]
        return self._holding([code for value, code in self._compared if holds(value)])

    def _holding(self, codes: Collection[int]) -> Flags:
        wanted = np.zeros(len(self._codes), dtype=np.bool_)
        wanted[np.fromiter(codes, dtype=np.int64, count=len(codes))] = True
        mask = np.zeros(self._products, dtype=np.bool_)
        mask[self._places[wanted[self._held]]] = True
        return mask

    def _equal_to(self, value: str) -> Collection[int]:
        code = self._codes.get(folded(value))
        if self._field == CATEGORY:
            below = [code for path in _paths_of(value) for code in self._below.get(path, ())]
            return below if code is None else [*below, code]
        # As it is written before what is the same number: where both are, 1.10 is not 1.1.
        if code is not None:
            return (code,)
        if self._field in COLUMNS and self._field != PRICE:
            return ()
        number = asked_number(value, of_text=True)
        if number is not None:
            return self._numbers.get(number, ())
        number = Filter(self._field, "=", value).number if self._field == PRICE else None
        number = asked_number(value, of_text=False) if number is None else number
        codes = () if number is None else self._numbers.get(number, ())
        return [code for code in codes if not isinstance(self._samples[code], str)]

    @cached_property
    def _numbers(self) -> dict[Decimal, list[int]]:
        numbers: dict[Decimal, list[int]] = {}
        for code, value in enumerate(self._samples):
            number = equal_number(value)
            if number is not None:
                numbers.setdefault(number, []).append(code)
        return numbers

    @cached_property
    def _compared(self) -> list[tuple[Decimal, int]]:
        numbers = ((compared_number(value), code) for code, value in enumerate(self._samples))
        return [(number, code) for number, code in numbers if number is not None]

    @cached_property
    def _below(self) -> dict[tuple[str, tuple[str, ...]], list[int]]:
        """By the sign between the steps of a category and its first steps: its codes."""
        below: dict[tuple[str, tuple[str, ...]], list[int]] = {}
        for category, code in self._codes.items():
            steps = category_steps(category)
            sign = next((each for each in STEP_SEPARATORS if each in category), "")
            for count in range(1, len(steps) + 1):
                below.setdefault((sign, steps[:count]), []).append(code)
        return below


def _paths_of(category: str) -> set[tuple[str, tuple[str, ...]]]:
    """What is asked for, as a path of each kind: where a surer sign splits, a slash is part of a
    name, and `Audio/Video` the first step of `Audio/Video > Cables`."""
    text = folded(category)
    paths = {(sign, category_steps(text)) for sign in ("", *STEP_SEPARATORS)}
    for sign in STEP_SEPARATORS:
        paths.add((sign, tuple(step for part in text.split(sign) if (step := part.strip()))))
    return paths


def matching(
    filters: Sequence[Filter], products: int, values_of: Callable[[str], FieldValues]
) -> npt.NDArray[np.bool_]:
    """(products,) which meet all filters.

    Args:
        values_of: the values of a field, by its name as names are compared.
    """
    alternatives: dict[str, list[str]] = {}
    unwanted: dict[str, list[str]] = {}
    mask = np.ones(products, dtype=np.bool_)
    for filter_ in filters:
        if filter_.operator == "=":
            alternatives.setdefault(filter_.name, []).append(filter_.value)
        elif filter_.operator == "!=":
            unwanted.setdefault(filter_.name, []).append(filter_.value)
        else:
            mask &= values_of(filter_.name).compared(filter_)
    for name, values in alternatives.items():
        mask &= values_of(name).equal(values)
    for name, values in unwanted.items():
        mask &= ~values_of(name).equal(values)
    return mask


def named(name: str, rows: Iterable[tuple[int, str]]) -> Iterator[tuple[int, Any]]:
    """(primary key, value) of the attributes of this name, each row's written as JSON."""
    tops: dict[str, str] = {}
    for number, attributes in rows:
        for key, value in json.loads(attributes).items():
            top = tops.get(key)
            if top is None:
                top = tops.setdefault(key, folded(key))
            if not isinstance(value, list | dict):
                if top == name:
                    yield number, value
            elif name.startswith(top):
                for path, leaf in leaves(key, value):
                    if folded(path) == name:
                        yield number, leaf
