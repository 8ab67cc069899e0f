"""Judges the search as a whole, or a run that another engine made, by what people were after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from retrieval.common.progress import Progress
from retrieval.errors import QueryError
from retrieval.evaluation.intervals import compare, summarise
from retrieval.evaluation.judgements import Judgements, Run
from retrieval.evaluation.metrics import Measures, judged_queries, measure_run
from retrieval.searching.searcher import Searcher

DEPTH = 100
MODES = ("hybrid", "vector", "lexical")


@dataclass(frozen=True)
class SearchEvaluation:
    """How well searches found what was judged right.

    Attributes:
        measures: system -> measures; the systems are the modes of search, or a run's name.
        rankings: system -> query id -> product ids, best first.
        unknown: judged products that the index does not have: no search can find them.
    """

    judgements: Judgements
    measures: Mapping[str, Measures]
    rankings: Mapping[str, Mapping[str, Sequence[str]]]
    unknown: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        first, *others = self.measures
        return {
            "queries": len(self.measures[first]),
            "unknown_products": len(self.unknown),
            "systems": {name: summarise(measures) for name, measures in self.measures.items()},
            "difference": {
                f"{first} - {other}": {
                    measure: difference.as_dict()
                    for measure, difference in compare(
                        self.measures[first], self.measures[other]
                    ).items()
                }
                for other in others
            },
        }


def judge_searches(
    searcher: Searcher, judgements: Judgements, progress: Progress
) -> SearchEvaluation:
    """Searches for every judged query in each mode.

    Raises:
        QueryError: it is not known what was asked.
    """
    queries = judged_queries(judgements.relevance)
    silent = [query for query in queries if query not in judgements.queries]
    if silent or not queries:
        raise QueryError(
            f"what was asked in query {silent[0]!r} is not known; give --topics FILE"
            if silent
            else "no judgement is above 0: nothing is right"
        )
    judged = sorted({product for query in queries for product in judgements.relevance[query]})
    known = searcher.generation.product_ids(judged) >= 0
    unknown = tuple(product for product, there in zip(judged, known, strict=True) if not there)
    if len(unknown) == len(judged):
        raise QueryError(
            f"none of the {len(judged)} products that are judged is in the index; "
            f"are these its ids: {', '.join(unknown[:3])}?"
        )
    rankings: dict[str, dict[str, list[str]]] = {mode: {} for mode in MODES}
    with progress.task("searching", len(queries) * len(MODES)) as task:
        for mode in MODES:
            for query in queries:
                result = searcher.search(judgements.queries[query], mode=mode, limit=DEPTH)
                rankings[mode][query] = [hit.id for hit in result]
                task.advance()
    return SearchEvaluation(
        judgements,
        {mode: measure_run(judgements.relevance, _scored(rankings[mode])) for mode in MODES},
        rankings,
        unknown,
    )


def judge_run(name: str, run: Run, judgements: Judgements) -> SearchEvaluation:
    """Measures a run that was made elsewhere; raises QueryError where nothing was judged right."""
    if not judged_queries(judgements.relevance):
        raise QueryError("no judgement is above 0: nothing is right")
    rankings = {
        query: sorted(scores, key=lambda d: (scores[d], d), reverse=True)
        for query, scores in run.items()
    }
    return SearchEvaluation(
        judgements, {name: measure_run(judgements.relevance, run)}, {name: rankings}, ()
    )


def _scored(rankings: Mapping[str, Sequence[str]]) -> Run:
    return {
        query: {product: float(len(products) - rank) for rank, product in enumerate(products)}
        for query, products in rankings.items()
    }
