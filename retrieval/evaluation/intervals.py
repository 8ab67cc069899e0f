"""How sure a figure is: bootstrap intervals, and tests of one system against another.

Both draw *clusters* of queries (the captions of one photo, the texts of one product), as those
are not independent of each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrieval.evaluation.metrics import Floats, Ints, Measures

CONFIDENCE = 0.95
RESAMPLES = 1_000
FLIPS = 10_000
SIGNIFICANT = 0.05
AT_ONCE = 50
FAR = 1_000_000_000  # the rank of what was never found, in medians


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % bootstrap interval (percentiles; Efron, 1979)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """One system's figure less another's on the same queries.

    Attributes:
        low, high: the 95 % interval of a paired bootstrap.
        p: of a paired randomisation test, two-sided (Smucker et al., 2007): how often chance
            alone would make a difference as large.
        significant: p below 0.05 after Holm's correction over the measures shown together.
    """

    value: float
    low: float
    high: float
    p: float
    significant: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {k: v if isinstance(v, bool) else round(v, 5) for k, v in vars(self).items()}


def summarise(measures: Measures, clusters: Ints | None = None, seed: int = 0) -> dict[str, Any]:
    """All measures as JSON: name -> value, `median_rank`, and `intervals`: name -> [low, high].

    A median rank is None where most queries never found what is right.

    Args:
        clusters: (q,) which cluster a query belongs to; None: each is its own.
    """
    if not len(measures):
        return {"queries": 0}
    estimates = estimate(measures, clusters, seed)
    return {
        **{name: _rounded(e.value) for name, e in estimates.items()},
        "queries": len(measures),
        "intervals": {n: [_rounded(e.low), _rounded(e.high)] for n, e in estimates.items()},
    }


def _rounded(value: float) -> float | None:
    return None if value >= FAR / 2 else round(value, 5)


def estimate(
    measures: Measures, clusters: Ints | None = None, seed: int = 0
) -> dict[str, Estimate]:
    """Each measure, and `median_rank`, with its interval."""
    members = _numbered(clusters, len(measures))
    values = np.stack(list(measures.by_query.values()), axis=1)
    sums, sizes = _by_cluster(values, members)
    order = np.argsort(measures.rank, kind="stable")
    ranks, cluster_of_rank = measures.rank[order], members[order]
    means, medians = [], []
    for weights in _resamples(len(sizes), seed):
        means.append((weights @ sums) / (weights @ sizes)[:, None])
        medians.append(_weighted_medians(ranks, weights[:, cluster_of_rank]))
    drawn = np.hstack([np.concatenate(means), np.concatenate(medians)[:, None]])
    exact = [*values.mean(axis=0), np.median(np.minimum(measures.rank, FAR))]
    low, high = _percentiles(drawn)
    names = [*measures.by_query, "median_rank"]
    return {
        name: Estimate(float(exact[i]), float(low[i]), float(high[i]))
        for i, name in enumerate(names)
    }


def compare(
    first: Measures, other: Measures, clusters: Ints | None = None, seed: int = 0
) -> dict[str, Difference]:
    """`first` less `other`, on the same queries in the same order, for each measure."""
    if len(first) != len(other):
        raise ValueError(f"{len(first)} queries against {len(other)}: they must be the same")
    members = _numbered(clusters, len(first))
    values = np.stack([first.by_query[n] - other.by_query[n] for n in first.by_query], axis=1)
    return paired(values, tuple(first.by_query), members, seed)


def paired(
    values: Floats, names: Sequence[str], clusters: Ints | None = None, seed: int = 0
) -> dict[str, Difference]:
    """Whether the means of differences (q, m), named by `names`, are other than 0."""
    if not len(values):
        return {}
    sums, sizes = _by_cluster(values, _numbered(clusters, len(values)))
    drawn = [(w @ sums) / (w @ sizes)[:, None] for w in _resamples(len(sizes), seed)]
    low, high = _percentiles(np.concatenate(drawn))
    p = _randomisation(sums, seed)
    significant = _holm(p)
    return {
        name: Difference(
            float(values[:, i].mean()), float(low[i]), float(high[i]), float(p[i]), significant[i]
        )
        for i, name in enumerate(names)
    }


def _numbered(clusters: Ints | None, count: int) -> Ints:
    if clusters is None:
        return np.arange(count, dtype=np.int64)
    return np.unique(clusters, return_inverse=True)[1].astype(np.int64)


def _by_cluster(values: Floats, members: Ints) -> tuple[Floats, Floats]:
    count = int(members.max()) + 1
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, members, values)
    return sums, np.bincount(members, minlength=count).astype(np.float64)


def _resamples(count: int, seed: int) -> Iterator[Floats]:
    """How often each of `count` clusters is drawn, (AT_ONCE, count) at a time."""
    chance = np.random.default_rng(seed)
    even = np.full(count, 1 / count)
    for _ in range(RESAMPLES // AT_ONCE):
        yield chance.multinomial(count, even, size=AT_ONCE).astype(np.float64)


def _weighted_medians(ranks: Ints, weights: Floats) -> Floats:
    counted = np.cumsum(weights, axis=1)
    half = counted[:, -1:] / 2
    lower = np.argmax(counted >= half, axis=1)
    upper = np.argmax(counted > half, axis=1)
    ranks = np.minimum(ranks, FAR)
    return np.asarray((ranks[lower] + ranks[upper]) / 2, dtype=np.float64)


def _percentiles(drawn: Floats) -> tuple[Floats, Floats]:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0, method="inverted_cdf")
    return low, high


def _randomisation(sums: Floats, seed: int) -> Floats:
    chance = np.random.default_rng(seed)
    observed = np.abs(sums.sum(axis=0))
    as_large = np.zeros(sums.shape[1])
    for _ in range(FLIPS // AT_ONCE):
        signs = chance.integers(0, 2, size=(AT_ONCE, len(sums))) * 2.0 - 1
        # A hair is allowed for: sums in another order differ in their last bits.
        as_large += (np.abs(signs @ sums) >= observed - 1e-9).sum(axis=0)
    return (as_large + 1) / (FLIPS + 1)


def _holm(p: Floats) -> list[bool]:
    """Holm (1979): the smallest p is held against SIGNIFICANT / m, the next against / (m - 1)."""
    significant = [False] * len(p)
    for step, i in enumerate(np.argsort(p, kind="stable")):
        if p[i] >= SIGNIFICANT / (len(p) - step):
            break
        significant[int(i)] = True
    return significant
