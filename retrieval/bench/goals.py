"""What we set out to reach, each held against what was measured in this run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retrieval.bench.measuring import Measurement


@dataclass(frozen=True)
class Goal:
    """`reached` is None where nothing was measured that says it."""

    what: str
    wanted: str
    reached: str | None
    met: bool | None


def hold_against_goals(measurements: Sequence[Measurement]) -> list[Goal]:
    """The goals, in the order of the suites."""
    return [
        _ratio(
            measurements,
            "encode ViT-B-32, file to vector",
            2.3,
            "encode photos",
            "ViT-B-32",
            "file to",
        ),
        _ratio(
            measurements, "encode MobileCLIP2-S0", 4, "encode photos", "MobileCLIP2-S0", "file to"
        ),
        _ratio(measurements, "encode starter", 5, "encode photos", "starter", "file to"),
        *(_end_to_end(measurements, name) for name in ("starter", "ViT-B-32", "MobileCLIP2-S0")),
        _ratio(
            measurements,
            "one query, causal tower",
            15,
            "encode one query",
            "causal tower",
            "retrieval",
            without="without",
        ),
        _ratio(
            measurements,
            "one query, other tower",
            4,
            "encode one query",
            "without a causal",
            "retrieval",
        ),
        _ratio(
            measurements, "search 100,000 (texts)", 7, "search", "100,000 x 512, text", "retrieval"
        ),
        _recall(measurements, "recall at 100,000", 1.0, "search", "100,000 x 512, text"),
        _ratio(
            measurements,
            "search 1,000,000 (texts)",
            20,
            "search",
            "1,000,000 x 512, text",
            "retrieval",
        ),
        _recall(measurements, "recall at 1,000,000", 0.98, "search", "1,000,000 x 512, text"),
        _ratio(
            measurements,
            "filter of 1% of 1,000,000",
            1,
            "search under a filter",
            "1,000,000 x 512, 1%",
            "retrieval",
        ),
        _recall(
            measurements, "recall under it", 1.0, "search under a filter", "1,000,000 x 512, 1%"
        ),
        _below(
            measurements,
            "rebuild 1,000,000 products",
            180,
            "rebuild from stored vectors",
            "1,000,000 products",
        ),
        _below(measurements, "open 1,000,000 products", 1, "open an index", "1,000,000 products"),
        _ratio(
            measurements,
            "serve, 8 clients, new words",
            10,
            "serve searches by words",
            "8 clients",
            "retrieval",
        ),
    ]


def _pick(
    measurements: Sequence[Measurement],
    suite: str,
    case: str,
    method: str = "",
    without: str = "\0",
) -> Measurement | None:
    for measurement in measurements:
        fits = case in measurement.case and without not in measurement.case
        if fits and measurement.suite == suite and method in measurement.method:
            return measurement
    return None


def _ratio(
    measurements: Sequence[Measurement],
    what: str,
    goal: float,
    suite: str,
    case: str,
    method: str,
    without: str = "\0",
) -> Goal:
    measurement = _pick(measurements, suite, case, method, without)
    if measurement is None or measurement.ratio is None:
        return Goal(what, f"{goal:g}x", None, None)
    return Goal(what, f"{goal:g}x", f"{measurement.ratio:.1f}x", measurement.ratio >= goal)


def _recall(
    measurements: Sequence[Measurement], what: str, goal: float, suite: str, case: str
) -> Goal:
    measurement = _pick(measurements, suite, case, "retrieval")
    if measurement is None:
        return Goal(what, f"{goal:.2f}", None, None)
    recall = float(measurement.notes["recall@20"])
    return Goal(what, f"{goal:.2f}", f"{recall:.4f}", recall >= goal)


def _below(
    measurements: Sequence[Measurement], what: str, limit: float, suite: str, case: str
) -> Goal:
    measurement = _pick(measurements, suite, case)
    if measurement is None:
        return Goal(what, f"under {limit:g} s", None, None)
    return Goal(
        what, f"under {limit:g} s", f"{measurement.median:.2f} s", measurement.median < limit
    )


def _end_to_end(measurements: Sequence[Measurement], model: str) -> Goal:
    what = f"{model}, file to vector against forward only"
    whole = _pick(measurements, "encode photos", model, "file to")
    alone = _pick(measurements, "encode photos", model, "forward only")
    if whole is None or alone is None:
        return Goal(what, "85%", None, None)
    share = whole.median / alone.median
    return Goal(what, "85%", f"{share:.0%}", share >= 0.85)
