"""What a kind of product is: a builder, its finishes, how it is photographed and spoken of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .geometry import Model
from .studio import Shot

Builder = Callable[["Draft", tuple[str, ...]], None]

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass
class Draft(Model):
    """A model of one design of a kind; the same design in another finish draws the same numbers."""

    design: int = 0

    def style(self, *options: str) -> str:
        """An option by turns, so that the designs of one kind differ from each other."""
        return options[self.design % len(options)]

    def pick(self, *options: str) -> str:
        return options[int(self.rng.integers(len(options)))]

    def num(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def count(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def fact(self, *phrases: str) -> None:
        """Noun phrases that are true of this design and can be seen in the picture."""
        self.facts.extend(phrases)


@dataclass(frozen=True)
class Kind:
    """A kind of product.

    `finishes` holds, for each design by turns, the finishes it comes in; a finish names the
    materials of a product, the main one first, joined by `|`. `shots` are its views, the first one
    always taken.
    `price` is the range in the shop's currency, `para` says in other words what the thing is for.
    `twin` adds a near-duplicate by another brand; `color_from` is the finish that gives the colour.
    """

    key: str
    category: str
    code: str
    trade: str
    build: Builder
    finishes: tuple[tuple[str, ...], ...]
    price: tuple[float, float]
    nouns: Sequence[str]
    uses: Sequence[str]
    para: Sequence[str]
    shots: tuple[Shot, ...]
    scenes: Sequence[str]
    designs: int
    per_design: int
    flat: bool = False
    twin: bool = False
    color_from: int = 0


def number(n: int) -> str:
    return NUMBERS[n] if n < len(NUMBERS) else str(n)
