"""What is wrong with a parameter, in words for whoever typed it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

SHOWN = 100

# By the validator's name of the error: the end of a sentence that begins with the value.
_WORDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "int_parsing": lambda _: "is not a whole number",
    "int_type": lambda _: "is not a whole number",
    "int_from_float": lambda _: "is not a whole number",
    "int_parsing_size": lambda _: "is too large a number",
    "float_parsing": lambda _: "is not a number",
    "float_type": lambda _: "is not a number",
    "finite_number": lambda _: "is not a finite number",
    "bool_parsing": lambda _: "is neither 1 nor 0",
    "bool_type": lambda _: "is neither 1 nor 0",
    "greater_than_equal": lambda limits: f"is less than {limits['ge']}",
    "less_than_equal": lambda limits: f"is more than {limits['le']}",
    "string_type": lambda _: "is no text",
}


def in_words(error: ValidationError) -> str:
    """The first thing that is wrong, in one line: which parameter, and what to do."""
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"]) or "the request"
    kind, limits = first["type"], first.get("ctx", {})
    if kind in _WORDS:
        return f"{name}: {shown(first['input'])} {_WORDS[kind](limits)}"
    if kind == "missing":
        return f"{name} is missing; give it"
    if kind == "string_too_long":
        return f"{name} has more characters than the at most {limits['max_length']} allowed"
    if kind == "too_long":
        return f"{name} is given more often than the at most {limits['max_length']} times allowed"
    return f"{name}: {first['msg']}"


def shown(value: Any) -> str:
    """A value as it is quoted in an error: short."""
    text = str(value)
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 3] + "...")
