"""Split, fit, judge on what was held out, and adopt only what is better there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from retrieval.adaptation.pairs import Pairs, folds, training_pairs, why_unfit
from retrieval.common.adapter import Adapter
from retrieval.common.progress import Progress, Task
from retrieval.common.vectors import spread_evenly
from retrieval.errors import IndexMismatch, IndexMissing
from retrieval.evaluation.intervals import Difference, compare, paired, summarise
from retrieval.evaluation.metrics import (
    SHARE,
    Floats,
    Ints,
    Measures,
    join,
    measure_vectors,
    same_category,
)
from retrieval.indexing.publishing import publish
from retrieval.settings import Settings
from retrieval.storage import open_storage
from retrieval.storage.entities import EncoderInfo

if TYPE_CHECKING:
    from retrieval.adaptation.fitting import FittedAdapter, Judge

FOLDS = 5
JUDGED_QUERIES = 2_000
CONTRAST, CLOSED = "contrastive", "closed form"
DIRECTIONS = ("text_to_image", "image_to_text")
ProductFlags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class FoldScores:
    """How some products were found: both directions, and a photo's neighbours by category.

    Attributes:
        directions: out of DIRECTIONS.
        clusters: direction -> (q,), the group of each query's product.
        neighbours: (q, 1) share of a photo's nearest that are of its category; None
            where the catalog has no categories to compare.
        neighbour_clusters: (q,).
    """

    directions: dict[str, Measures]
    clusters: dict[str, Ints]
    neighbours: Floats | None
    neighbour_clusters: Ints

    def as_dict(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            name: summarise(measures, self.clusters[name])
            for name, measures in self.directions.items()
        }
        if self.neighbours is not None:
            document[SHARE] = round(float(self.neighbours.mean()), 5)
        return document


@dataclass
class AdaptReport:
    """What `adapt` found and did.

    Attributes:
        before, after: on products that were held out, each by an adapter that had not seen it;
            `before` is the model alone, also where the index has an adapter already.
        held_out: how many of them were asked for.
        adapted_before: the index had an adapter already.
        difference: after less before.
        elsewhere: the same for other catalogs, by the adapter fitted to all of this one.
        adopted: whether a generation with the adapter was published.
        reason: one line: why, or why not.
    """

    model: str
    products: int
    reason: str = ""
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    difference: dict[str, dict[str, Any]] = field(default_factory=dict)
    elsewhere: dict[str, dict[str, Any]] = field(default_factory=dict)
    candidates: dict[str, Any] = field(default_factory=dict)
    adapted_before: bool = False
    method: str | None = None
    held_out: int = 0
    adopted: bool = False
    generation: int | None = None
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))


def adapt(
    settings: Settings,
    progress: Progress,
    *,
    pairs: Pairs | None = None,
    elsewhere: Sequence[Path] = (),
    dry_run: bool = False,
    force: bool = False,
) -> AdaptReport:
    """Fits an adapter to the catalog in `settings.index` from its stored vectors.

    Products are split into FOLDS by groups of near copies. Each fold is judged by an adapter
    that learnt from three others and was stopped by the fourth. What is adopted is then fitted to
    all products: in the way that the stopping folds liked best, for the median of their steps.

    Args:
        pairs: to learn from in place of the catalog's own.
        elsewhere: folders of other indexes by the same model, to see what is lost there.
        dry_run: adopt nothing.
        force: also where the catalog is of one category.

    Raises:
        IndexMissing: there is no index, or nothing in it.
        IndexMismatch: `pairs`, or an index of `elsewhere`, are by another model.
    """
    started = time.perf_counter()
    encoder, own, adapted_now = _load(settings)
    others = {
        str(path): _load_other(settings.model_copy(update={"index": path}), encoder)
        for path in elsewhere
    }
    if pairs is not None and pairs.fingerprint != encoder.fingerprint:
        raise IndexMismatch(f"the pairs were embedded by another model than {encoder.name}")
    pairs = pairs or own
    report = AdaptReport(model=encoder.name, products=pairs.products, adapted_before=adapted_now)
    unfit = why_unfit(pairs, one_category=force)
    adapter = None
    if unfit:
        report.reason = f"not adapted: {unfit}"
    else:
        adapter = _fit_and_judge(pairs, report, progress)
    if adapter is not None:
        for name, other in others.items():
            report.elsewhere[name] = _compared(_score(other, None), _score(other, adapter))
    if adapter is not None and not dry_run:
        report.generation = _adopt(settings, progress, encoder, adapter, report)
        report.adopted = True
    elif adapter is not None:
        report.reason += "; nothing was changed (dry run)"
    if adapted_now and not report.adopted:
        report.reason += "; the index keeps the adapter that it has"
    report.seconds = round(time.perf_counter() - started, 3)
    return report


def remove(settings: Settings, progress: Progress) -> int | None:
    """Publishes the catalog without its adapter; the generation, or None if there was none."""
    storage = open_storage(settings.index, settings)
    with storage.writing() as catalog:
        encoder = catalog.active_encoder()
        had_one = encoder is not None and catalog.adapter(encoder.fingerprint) is not None
        # A run that was killed between the two leaves the live generation adapted.
        if not had_one and not storage.live_manifest().adapter:
            return None
        if encoder is not None and had_one:
            catalog.set_adapter(encoder.fingerprint, None)
        return publish(catalog, progress).generation


def _load(settings: Settings) -> tuple[EncoderInfo, Pairs, bool]:
    """The encoder of an index, what can be learnt from it, and whether it has an adapter."""
    index, storage = settings.index, open_storage(settings.index, settings)
    if not storage.exists():
        raise IndexMissing(
            f"there is no index in {index}; run `retrieval index SOURCE --index {index}`"
        )
    with storage.reading() as catalog:
        encoder = catalog.active_encoder()
        if encoder is None:
            raise IndexMissing(f"nothing was indexed in {index} yet; run `retrieval index SOURCE`")
        adapted = catalog.adapter(encoder.fingerprint) is not None
        return encoder, training_pairs(catalog, encoder), adapted


def _load_other(settings: Settings, encoder: EncoderInfo) -> Pairs:
    other, pairs, _ = _load(settings)
    if other.fingerprint != encoder.fingerprint:
        raise IndexMismatch(
            f"{settings.index} was made by {other.name}, not by {encoder.name}; index it with the "
            "same model"
        )
    return pairs


def _fit_and_judge(pairs: Pairs, report: AdaptReport, progress: Progress) -> Adapter | None:
    """Fills the report, and fits to all products what did best; None where nothing was better."""
    from retrieval.adaptation import fitting

    fold = folds(pairs, FOLDS)
    before: list[FoldScores] = []
    held_out_scores: dict[str, list[FoldScores]] = {CONTRAST: [], CLOSED: []}
    stop_scores: dict[str, list[float]] = {CONTRAST: [], CLOSED: []}
    steps: list[int] = []
    with progress.task("fitting and judging", (FOLDS + 1) * fitting.STEPS) as task:
        for number in range(FOLDS):
            held_out = fold == number
            stops = fold == (number + 1) % FOLDS

            def judge(adapter: Adapter, stops: ProductFlags = stops) -> float:
                return _mean_mrr(_score(pairs, adapter, stops, neighbours=False))

            for name, fit in _fits(pairs, ~(held_out | stops), judge, task).items():
                stop_scores[name].append(fit.score)
                held_out_scores[name].append(_score(pairs, fit.adapter, held_out))
                if name == CONTRAST:
                    steps.append(fit.steps)
            before.append(_score(pairs, None, held_out))
        # By the folds that stopped them: the held-out ones are for judging alone.
        report.method = max((CONTRAST, CLOSED), key=lambda name: np.mean(stop_scores[name]))
        base, adapted = _joined(before), _joined(held_out_scores[report.method])
        compared = _compared(base, adapted)
        report.held_out = len(base.directions["text_to_image"])
        report.before, report.after = compared["before"], compared["after"]
        report.difference = compared["difference"]
        report.candidates = {
            name: {d: summarise(m) for d, m in _joined(scores).directions.items()}
            for name, scores in held_out_scores.items()
        }
        better, report.reason = _verdict(report.difference)
        if not better:
            return None
        everything = np.ones(pairs.products, dtype=np.bool_)
        if report.method == CLOSED:
            return fitting.closed_form(pairs, everything)
        return fitting.by_contrast(
            pairs, everything, steps=max(fitting.CHECK_EVERY, int(np.median(steps)))
        ).adapter


def _fits(pairs: Pairs, train: ProductFlags, judge: Judge, task: Task) -> dict[str, FittedAdapter]:
    from retrieval.adaptation import fitting

    closed = fitting.closed_form(pairs, train)
    return {
        CONTRAST: fitting.by_contrast(pairs, train, judge, tick=task.advance),
        CLOSED: fitting.FittedAdapter(closed, 0, judge(closed)),
    }


def _verdict(difference: dict[str, dict[str, Any]]) -> tuple[bool, str]:
    """Better is: words find their photos surely better, and nothing is surely worse."""
    worse = [
        f"{name} {measure}"
        for name, measures in difference.items()
        for measure, change in measures.items()
        if change["high"] < 0 and measure in ("R@10", "MRR", SHARE)
    ]
    if worse:
        return False, f"not adapted: held-out products lose in {', '.join(worse)}"
    changes = difference["text_to_image"]
    sure = next((name for name in ("R@10", "MRR") if changes[name]["low"] > 0), None)
    if sure is None:
        return False, "not adapted: held-out products are not found surely better"
    gain = changes[sure]
    template = (
        "{value:+.1%} ({low:+.1%} to {high:+.1%})"
        if sure == "R@10"
        else ("{value:+.3f} ({low:+.3f} to {high:+.3f})")
    )
    change = template.format(**gain)
    return True, f"held-out products are found better: text to image {sure} {change}"


def _adopt(
    settings: Settings,
    progress: Progress,
    encoder: EncoderInfo,
    adapter: Adapter,
    report: AdaptReport,
) -> int:
    with open_storage(settings.index, settings).writing() as catalog:
        active = catalog.active_encoder()
        if active is None or active.fingerprint != encoder.fingerprint:
            raise IndexMismatch(
                f"{settings.index} was indexed by another model meanwhile; run this again"
            )
        details = {"before": report.before, "after": report.after, "method": report.method}
        earlier = catalog.adapter(active.fingerprint)
        catalog.set_adapter(active.fingerprint, adapter, details)
        try:
            return publish(catalog, progress).generation
        except BaseException:
            # What was reported to have failed must not come with the next run of the indexer.
            catalog.set_adapter(active.fingerprint, earlier)
            raise


def _score(
    pairs: Pairs,
    adapter: Adapter | None,
    products: ProductFlags | None = None,
    *,
    neighbours: bool = True,
) -> FoldScores:
    """How `products` (None: all) are found among all photos, and all titles."""
    photos = pairs.photos if adapter is None else adapter.apply("images", pairs.photos)
    texts = pairs.texts if adapter is None else adapter.apply("texts", pairs.texts)
    if products is None:
        products = np.ones(pairs.products, dtype=np.bool_)
    titles = np.flatnonzero(pairs.asks)
    title_products = pairs.text_products[titles]
    asked = _spread(np.flatnonzero(products[title_products]))
    photo_rows = _spread(np.flatnonzero(products[pairs.photo_products]))
    photos_of = _rows_by_product(pairs.photo_products, pairs.products)
    titles_of = _rows_by_product(title_products, pairs.products)
    directions = {
        "text_to_image": measure_vectors(
            texts[titles[asked]], photos, [photos_of[p] for p in title_products[asked]]
        ),
        "image_to_text": measure_vectors(
            photos[photo_rows],
            texts[titles],
            [titles_of[p] for p in pairs.photo_products[photo_rows]],
        ),
    }
    clusters = {
        "text_to_image": pairs.groups[title_products[asked]],
        "image_to_text": pairs.groups[pairs.photo_products[photo_rows]],
    }
    share = None
    if neighbours:
        share = same_category(photos, pairs.photo_products, pairs.categories.tolist(), photo_rows)
    column = None if share is None else share[:, None]
    named = photo_rows[pairs.categories[photo_rows] != ""]
    return FoldScores(directions, clusters, column, pairs.groups[pairs.photo_products[named]])


def _rows_by_product(products: Ints, count: int) -> list[npt.NDArray[np.intp]]:
    order = np.argsort(products, kind="stable")
    return np.split(order, np.searchsorted(products[order], np.arange(1, count)))


def _spread(rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    if len(rows) <= JUDGED_QUERIES:
        return rows
    return rows[spread_evenly(len(rows), JUDGED_QUERIES)]


def _joined(parts: Sequence[FoldScores]) -> FoldScores:
    directions = {name: join([part.directions[name] for part in parts]) for name in DIRECTIONS}
    clusters = {
        name: np.concatenate([part.clusters[name] for part in parts]) for name in DIRECTIONS
    }
    shares = [part.neighbours for part in parts if part.neighbours is not None]
    return FoldScores(
        directions,
        clusters,
        np.concatenate(shares) if shares else None,
        np.concatenate([part.neighbour_clusters for part in parts]),
    )


def _compared(before: FoldScores, after: FoldScores) -> dict[str, Any]:
    difference: dict[str, dict[str, Difference]] = {
        name: compare(after.directions[name], before.directions[name], before.clusters[name])
        for name in DIRECTIONS
    }
    if before.neighbours is not None and after.neighbours is not None:
        change = after.neighbours - before.neighbours
        difference["neighbours"] = paired(change, [SHARE], before.neighbour_clusters)
    return {
        "before": before.as_dict(),
        "after": after.as_dict(),
        "difference": {
            name: {measure: difference.as_dict() for measure, difference in changes.items()}
            for name, changes in difference.items()
        },
    }


def _mean_mrr(scores: FoldScores) -> float:
    return float(np.mean([m.by_query["MRR"].mean() for m in scores.directions.values()]))
