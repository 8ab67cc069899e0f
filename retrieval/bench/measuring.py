"""Measurements: the same work by several methods, in turns, on one machine at one time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

ROUNDS = 5


@dataclass(frozen=True)
class Measurement:
    """What one method took, or made, for one piece of work.

    Attributes:
        suite, case: what was done; method: by what.
        unit: `ms`, `s`, `MB`, or a rate such as `photos/s`, of which more is better.
        low, median, high: over the rounds.
        ratio: how much better its median is than that of the baseline of its case, in the same
            run; None for the baseline, and where there is none.
        notes: what else is to be known of it, such as recall.
    """

    suite: str
    case: str
    method: str
    unit: str
    low: float
    median: float
    high: float
    ratio: float | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))


def is_rate(unit: str) -> bool:
    return unit.endswith("/s")


def in_turns(
    suite: str,
    case: str,
    unit: str,
    methods: Mapping[str, Callable[[], float]],
    *,
    baseline: Sequence[str] = (),
    rounds: int = ROUNDS,
    notes: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Measurement]:
    """Asks each method for its value `rounds` times, one after the other each round.

    Other load then falls on all of them alike, and the ratio of medians says what it should.

    Args:
        methods: name -> what does the work once and returns its value in `unit`.
        baseline: methods that the others are compared with: with the best of these.
    """
    values: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(rounds):
        for name, method in methods.items():
            values[name].append(method())
    medians = {name: statistics.median(measured) for name, measured in values.items()}

    def ratio(name: str) -> float | None:
        if not baseline or name in baseline:
            return None
        best = max if is_rate(unit) else min
        ours, theirs = medians[name], best(medians[base] for base in baseline)
        return ours / theirs if is_rate(unit) else theirs / ours

    return [
        Measurement(
            suite=suite,
            case=case,
            method=name,
            unit=unit,
            low=min(measured),
            median=medians[name],
            high=max(measured),
            ratio=ratio(name),
            notes=dict((notes or {}).get(name, {})),
        )
        for name, measured in values.items()
    ]


def once(suite: str, case: str, method: str, unit: str, value: float, **notes: Any) -> Measurement:
    """A value that is too dear to be measured again."""
    return Measurement(suite, case, method, unit, value, value, value, None, notes)


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def each_ms(work: Callable[[Any], Any], items: Iterable[Any]) -> float:
    """The median time of the work on one item, in milliseconds."""
    return statistics.median(1000 * seconds(partial(work, item)) for item in items)
