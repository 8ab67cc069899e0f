"""What we set out to reach, each held against what was measured in this run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from retrieval.bench.measuring import Measurement


@dataclass(frozen=True)
class Goal:
    """`reached` is None where nothing was measured that says it."""

    what: str
    wanted: str
    reached: str | None
    met: bool | None


def hold_against_goals(found: Sequence[Measurement]) -> list[Goal]:
    """The goals, in the order of the suites."""
    return [
        _ratio(
            found, "encode ViT-B-32, file to vector", 2.3, "encode photos", "ViT-B-32", "file to"
        ),
        _ratio(found, "encode MobileCLIP2-S0", 4, "encode photos", "MobileCLIP2-S0", "file to"),
        _ratio(found, "encode starter", 5, "encode photos", "starter", "file to"),
        *(_end_to_end(found, name) for name in ("starter", "ViT-B-32", "MobileCLIP2-S0")),
        _ratio(
            found,
            "one query, causal tower",
            15,
            "encode one query",
            "causal tower",
            "retrieval",
            without="without",
        ),
        _ratio(
            found, "one query, other tower", 4, "encode one query", "without a causal", "retrieval"
        ),
        _ratio(found, "search 100,000 (texts)", 7, "search", "100,000 x 512, text", "retrieval"),
        _recall(found, "recall at 100,000", 1.0, "search", "100,000 x 512, text"),
        _ratio(
            found, "search 1,000,000 (texts)", 20, "search", "1,000,000 x 512, text", "retrieval"
        ),
        _recall(found, "recall at 1,000,000", 0.98, "search", "1,000,000 x 512, text"),
        _ratio(
            found,
            "filter of 1% of 1,000,000",
            1,
            "search under a filter",
            "1,000,000 x 512, 1%",
            "retrieval",
        ),
        _recall(found, "recall under it", 1.0, "search under a filter", "1,000,000 x 512, 1%"),
        _below(
            found,
            "rebuild 1,000,000 products",
            180,
            "rebuild from stored vectors",
            "1,000,000 products",
        ),
        _below(found, "open 1,000,000 products", 1, "open an index", "1,000,000 products"),
        _ratio(
            found,
            "serve, 8 clients, new words",
            10,
            "serve searches by words",
            "8 clients",
            "retrieval",
        ),
    ]


def _pick(
    found: Sequence[Measurement], suite: str, case: str, method: str = "", without: str = "\0"
) -> Measurement | None:
    fits: Callable[[Measurement], bool] = lambda one: (  # noqa: E731
        one.suite == suite and case in one.case and method in one.method and without not in one.case
    )
    return next((one for one in found if fits(one)), None)


def _ratio(
    found: Sequence[Measurement],
    what: str,
    goal: float,
    suite: str,
    case: str,
    method: str,
    without: str = "\0",
) -> Goal:
    one = _pick(found, suite, case, method, without)
    if one is None or one.ratio is None:
        return Goal(what, f"{goal:g}x", None, None)
    return Goal(what, f"{goal:g}x", f"{one.ratio:.1f}x", one.ratio >= goal)


def _recall(found: Sequence[Measurement], what: str, goal: float, suite: str, case: str) -> Goal:
    one = _pick(found, suite, case, "retrieval")
    if one is None:
        return Goal(what, f"{goal:.2f}", None, None)
    recall = float(one.notes["recall@20"])
    return Goal(what, f"{goal:.2f}", f"{recall:.4f}", recall >= goal)


def _below(found: Sequence[Measurement], what: str, limit: float, suite: str, case: str) -> Goal:
    one = _pick(found, suite, case)
    if one is None:
        return Goal(what, f"under {limit:g} s", None, None)
    return Goal(what, f"under {limit:g} s", f"{one.median:.2f} s", one.median < limit)


def _end_to_end(found: Sequence[Measurement], model: str) -> Goal:
    what = f"{model}, file to vector against forward only"
    whole = _pick(found, "encode photos", model, "file to")
    alone = _pick(found, "encode photos", model, "forward only")
    if whole is None or alone is None:
        return Goal(what, "85%", None, None)
    share = whole.median / alone.median
    return Goal(what, "85%", f"{share:.0%}", share >= 0.85)
