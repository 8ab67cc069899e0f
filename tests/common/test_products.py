"""A category's path, however a shop writes it, and the texts that a product is embedded by."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.common.products import STEP_SEPARATORS, category_steps


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("Men > Tops", ("Men", "Tops")),
        ("Men>Tops", ("Men", "Tops")),
        ("Men >> Tops", ("Men", "Tops")),
        ("Men/Tops/Hoodies & Sweatshirts", ("Men", "Tops", "Hoodies & Sweatshirts")),
        ("Men | Tops", ("Men", "Tops")),
        ("/Men/Tops/", ("Men", "Tops")),
        ("Audio/Video > Cables", ("Audio/Video", "Cables")),
        ("Audio/Video | Cables", ("Audio/Video", "Cables")),
        ("  Vases ", ("Vases",)),
        ("N/A", ("N/A",)),
        ("", ()),
        (" / > ", ("/",)),
        (">", ()),
    ],
)
def test_the_steps_of_a_category_are_told_however_they_are_written(
    text: str, steps: tuple[str, ...]
) -> None:
    assert category_steps(text) == steps


NAMES = st.text(min_size=1).map(str.strip).filter(lambda name: name and ">" not in name)


@given(names=st.lists(NAMES, min_size=2), spaces=st.sampled_from(["", " "]))
def test_names_with_slashes_and_bars_survive_between_angles(names: list[str], spaces: str) -> None:
    assert category_steps(f"{spaces}>{spaces}".join(names)) == tuple(names)


@given(st.text())
def test_no_text_makes_steps_that_are_empty_or_longer_than_it(text: str) -> None:
    steps = category_steps(text)
    assert all(step and step == step.strip() and step in text for step in steps)
    assert category_steps(" " + text + "\n") == steps
    if not any(sign in text for sign in STEP_SEPARATORS):
        assert steps == ((text.strip(),) if text.strip() else ())
