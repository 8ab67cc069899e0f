"""A filter on a category finds what lies below it, however the shop writes its paths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.common.products import STEP_SEPARATORS, category_steps
from retrieval.storage.filters import filters_from
from retrieval.storage.folder.field_values import FieldValues

SIGNS = [sign for bare in STEP_SEPARATORS for sign in (bare, f" {bare} ")]
NAMES = st.lists(st.text("abAB&-", min_size=1, max_size=3), min_size=1, max_size=4)


def finds(asked: str, category: str) -> bool:
    """Whether the filter `category=asked` lets a product of this category through."""
    (condition,) = filters_from({"category": asked})
    values = FieldValues("category", 1, [(0, category)])
    return bool(values.equal([condition.value])[0])


@pytest.mark.parametrize(
    ("asked", "category", "expected"),
    [
        ("men", "Men/Tops/Tees", True),
        ("Men/Tops", "Men/Tops/Tees", True),
        ("Men > Tops", "Men > Tops > Tees", True),
        ("Men", "Men>Tops", True),
        ("Men", "Men | Tops", True),
        ("Men", "Menswear", False),
        ("Tops", "Men/Tops", False),
        ("Audio/Video", "Audio/Video > Cables", True),
        ("Audio", "Audio/Video > Cables", False),
        ("Audio", "Audio/Video", True),
    ],
)
def test_a_category_is_also_that_of_what_lies_below_it(
    asked: str, category: str, expected: bool
) -> None:
    assert finds(asked, category) is expected


@given(names=NAMES, sign=st.sampled_from(SIGNS), other=NAMES)
def test_what_is_found_begins_with_the_steps_that_were_asked_for(
    names: list[str], sign: str, other: list[str]
) -> None:
    category, asked = sign.join(names), sign.join(other)
    steps = [step.lower() for step in category_steps(category)]
    wanted = [step.lower() for step in category_steps(asked)]
    assert finds(asked, category) == (steps[: len(wanted)] == wanted)
