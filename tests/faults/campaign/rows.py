"""What a part of the campaign measured, as a row of one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HEADINGS = ("part", "what", "tried", "measured", "silently wrong", "goal")


@dataclass(frozen=True)
class Row:
    """One line of the result.

    Attributes:
        tried: how many cases; 0 where the part was skipped.
        measured: figures, for people.
        silent: cases in which something wrong was told as if it were right.
        missed: one line for each case that missed its goal, those of `silent` among them.
    """

    part: str
    what: str
    tried: int
    measured: str
    silent: int = 0
    missed: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        return not self.missed and not self.silent

    def cells(self) -> tuple[str, ...]:
        if not self.tried:
            return self.part, self.what, "0", self.measured, "not tried", "skipped"
        goal = "met" if self.met else f"missed {max(len(self.missed), self.silent)} times"
        return self.part, self.what, f"{self.tried:,}", self.measured, str(self.silent), goal


def skipped(part: str, what: str, reason: str) -> Row:
    return Row(part, what, 0, f"skipped: {reason}")


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *(row.cells() for row in rows)]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "/") for cell in line) + " |" for line in lines
    )


def misses(rows: Sequence[Row], most: int = 12) -> str:
    """What missed its goal, case by case; of each row the first `most`."""
    lines = []
    for row in rows:
        lines += [f"{row.part}, {row.what}: {text}" for text in row.missed[:most]]
        if len(row.missed) > most:
            lines.append(f"{row.part}, {row.what}: and {len(row.missed) - most} more")
    return "\n".join(lines)
