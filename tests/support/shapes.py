"""Texts of 100,000 characters that make patterns go back and forth, and trees grow deep."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

# The goal is 0.1; a machine that is slow or busy is no fault, and what goes by the square of the
# length takes tens of seconds.
MOST_SECONDS = 0.3
LENGTH = 100_000
_UNITS = {
    "spaces": " ",
    "digits": "1",
    "letter and digits": "x1",
    "word and space": "x ",
    "points": ".",
    "digits and points": "1.",
    "groups of three": "123,",
    "operators": "<=",
    "equals": "a=",
    "commas": ",",
    "bars": "a|",
    "brackets": "[",
    "objects": '{"a":',
    "quotes": '"',
    "apostrophes": "x'",
    "hyphens": "x-",
    "slashes": "a/",
    "open tags": "<div>",
    "lists in lists": "<ul><li>",
    "rubies": "<rp>",
    "tags never closed": "<a ",
    "tags with open quotes": "<a '\"",
    "scripts never closed": "<script",
    "comments never closed": "<!--",
    "entities": "&amp;",
    "numeric entities": "&#1",
    "percent signs": "%2F",
    "steps up": "../",
    "backslashes": "\\",
    "underscores": "_",
    "newlines": "\n",
    "dollars": "$",
    "combining marks": "e\u0301",
    "mojibake": "\u00c3\u00a9",
    "ideographs": "\u6f22",
    "emoji": "\U0001f600",
}
SHAPES = {name: (unit * LENGTH)[:LENGTH] for name, unit in _UNITS.items()} | {
    "digits and a currency": "1" * LENGTH + " \u20ac",
    "letter, then digits": "x" + "1" * LENGTH,
    "entity without end": "&#" + "1" * LENGTH + ";",
    "spaces within": "1" + " " * LENGTH + "x y",
    "exponent": "1e" + "9" * LENGTH,
}


def slow(work: Callable[[str], object]) -> dict[str, float]:
    """The shapes that take too long, with the seconds of processor time that they take."""
    taken = {name: _seconds_of(work, shape) for name, shape in SHAPES.items()}
    return {name: seconds for name, seconds in taken.items() if seconds >= MOST_SECONDS}


def _seconds_of(work: Callable[[str], object], shape: str) -> float:
    """The best of up to three tries: other threads of the process count, too.

    Without whoever counts the lines that were run: of a loop over characters that is most.
    """
    best = float("inf")
    counting = sys.gettrace()
    sys.settrace(None)
    try:
        for _ in range(3):
            started = time.process_time()
            work(shape)
            best = min(best, time.process_time() - started)
            if best < MOST_SECONDS:
                break
    finally:
        sys.settrace(counting)
    return best
