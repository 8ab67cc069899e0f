"""Texts that look the same are the same; what a terminal obeys is spelt out."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.common.text import folded, printable, visible

TEXT = st.text(st.characters(codec="utf-8"), max_size=40)
HIDDEN = st.sampled_from("\u00ad\u200b\u200c\u200d\u2060\ufeff\u200e\u202e\u2066\ufe0f\u034f\x07")
SPACES = st.sampled_from(" \t\u00a0\u2003\u202f\u3000\u2028\u2800")


@given(TEXT)
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert folded(folded(text)) == folded(text)
    assert visible(visible(text)) == visible(text)
    assert folded(visible(text)) == folded(text)


@given(TEXT)
def test_composed_or_not_is_the_same(text: str) -> None:
    for form in ("NFC", "NFD"):
        assert folded(unicodedata.normalize(form, text)) == folded(text)
        assert visible(unicodedata.normalize(form, text)) == visible(text)


@given(TEXT, HIDDEN, st.integers(0, 40), SPACES)
def test_what_nobody_sees_makes_no_difference(
    text: str, hidden: str, place: int, space: str
) -> None:
    # Between a letter and its accent there is no place for another character.
    text = unicodedata.normalize("NFC", text)
    assert visible(text[:place] + hidden + text[place:]) == visible(text)
    assert visible(space + text.replace(" ", space * 2) + space) == visible(text)


def test_what_is_seen_differs() -> None:
    texts = [
        "a",
        "b",
        "A.",
        "a b",
        "ab",
        "ä",
        "æ",
        "a-b",
        "x²",
        "x2",
        "①",
        "1",
        "\uff41",
        "椅",
        "🪑",
        "٣",
    ]
    assert len(set(map(folded, texts))) == len(texts)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Jb", "a\\x1b[2Jb"),
        ("\x1b]0;renamed\x07", "\\x1b]0;renamed\\x07"),
        ("c1 \x9b31m", "c1 \\x9b31m"),
        ("back\x08space\rreturn\x7f", "back\\x08space\\rreturn\\x7f"),
        ("tur\u202ened\u2066", "tur\\u202ened\\u2066"),
        ("plain ä 椅子 🪑\nnext", "plain ä 椅子 🪑\nnext"),
        ("half \ud83d", "half \\ud83d"),
    ],
)
def test_control_characters_are_spelt_out(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_whatever_is_printed_can_be_encoded_and_controls_nothing(text: str) -> None:
    shown = printable(text)
    shown.encode()
    assert all(unicodedata.category(c) != "Cc" or c in "\n\t" for c in shown)
    assert json.loads(json.dumps(shown)) == shown
