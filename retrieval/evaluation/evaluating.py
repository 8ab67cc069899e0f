"""Evaluates models on a set: embeds it with each, ranks both ways, and compares."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.common.products import Reject
from retrieval.common.progress import Progress
from retrieval.common.vectors import spread_evenly
from retrieval.encoders import (
    STARTER,
    Encoder,
    Vectors,
    check_model_name,
    load_encoder,
    name_from_here,
)
from retrieval.encoders.adapter import AdaptedEncoder, shown_name
from retrieval.encoders.batching import without_memory
from retrieval.errors import IndexMissing
from retrieval.evaluation.costs import encoder_latency, latency, peak_memory_mb
from retrieval.evaluation.embedding import Embedded, embed, in_common
from retrieval.evaluation.index_loss import LivePhotos, PhotoIndex, PhotosInMemory, index_loss
from retrieval.evaluation.intervals import compare, summarise
from retrieval.evaluation.metrics import (
    SHARE,
    Floats,
    Ints,
    Measures,
    measure_vectors,
    same_category,
)
from retrieval.evaluation.sets import EvaluationSet, photos_with_texts, read_pairs
from retrieval.evaluation.zero_shot import TEMPLATES, ZeroShot, classify
from retrieval.searching.searcher import Searcher
from retrieval.settings import Settings

MAX_CATEGORIES = 50
LATENCY_TEXTS = 51
FOUND = 20
FLATTERED = (
    "the index's adapter was fitted to its own products: asked about them, it is flattered; "
    "`retrieval adapt --dry-run` measures on products held out"
)


@dataclass(frozen=True)
class Direction:
    """One direction of a model: every query's measures, and who belongs together.

    Attributes:
        plain: only what the set says is right.
        aware: what is equal to it is right as well.
        clusters: (q,) for intervals.
        categories: (q,) None where it is not known.
    """

    plain: Measures
    aware: Measures
    clusters: Ints
    categories: tuple[str | None, ...]

    def as_dict(self) -> dict[str, Any]:
        document = summarise(self.plain, self.clusters)
        document["duplicate_aware"] = summarise(self.aware, self.clusters)
        names = [name for name in self.categories if name]
        counted = sorted(set(names), key=lambda name: (-names.count(name), name))
        if len(counted) > 1:
            labels = np.array([name or "" for name in self.categories])
            document["by_category"] = {
                name: summarise(self.plain.take(labels == name), self.clusters[labels == name])
                for name in counted[:MAX_CATEGORIES]
            }
        return document


@dataclass(frozen=True)
class ModelEvaluation:
    """All that was measured of one model on one set."""

    model: str
    adapted: bool
    fingerprint: str
    embedded: Embedded
    directions: dict[str, Direction]
    zero_shot: ZeroShot | None
    neighbours: Floats | None
    costs: dict[str, Any]
    index: dict[str, Any]

    @property
    def label(self) -> str:
        """The name that it is shown under."""
        return shown_name(self.model, adapted=self.adapted)

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "adapted": self.adapted,
            "fingerprint": self.fingerprint,
            **{name: direction.as_dict() for name, direction in self.directions.items()},
            "zero_shot": None if self.zero_shot is None else self.zero_shot.as_dict(),
            SHARE: None if self.neighbours is None else round(float(self.neighbours.mean()), 5),
            "index": self.index,
            **self.costs,
        }


@dataclass
class Evaluation:
    """Models on one set; the first is the one that the others are compared with."""

    evaluation_set: EvaluationSet
    models: list[ModelEvaluation] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def differences(self, other: ModelEvaluation) -> dict[str, Any]:
        """The first model less another, each direction and measure."""
        return {
            name: {
                measure: difference.as_dict()
                for measure, difference in compare(
                    direction.plain, other.directions[name].plain, direction.clusters
                ).items()
            }
            for name, direction in self.models[0].directions.items()
        }

    def as_dict(self) -> dict[str, Any]:
        first = self.models[0]
        return {
            "pairs": len(first.embedded.evaluation_set.links),
            "images": len(first.embedded.evaluation_set.photos),
            "texts": len(first.embedded.evaluation_set.texts),
            "queries": self.evaluation_set.kind,
            **first.as_dict(),
            "compare": [
                {**other.as_dict(), "difference": self.differences(other)}
                for other in self.models[1:]
            ],
            "peak_memory_mb": peak_memory_mb(),
            "rejected": len(self.rejects),
            "warnings": self.warnings,
        }


def evaluate(
    settings: Settings,
    progress: Progress,
    *,
    pairs: Path | None = None,
    compare_with: Sequence[str] = (),
    queries: str = "title",
    templates: Sequence[str] = TEMPLATES,
) -> Evaluation:
    """Measures `settings.model`, or the index's own, and every model that it is compared with.

    Args:
        pairs: table of photos and texts; None takes the products of the index: their titles or
            descriptions (`queries`) and photos.
        templates: prompts of the zero-shot classes, by `label` or the catalog's categories.

    Raises:
        SourceError: nothing can be evaluated by.
        IndexMissing: there is neither `pairs` nor an index.
        EncoderError: a model cannot be loaded.
    """
    for name in filter(None, (settings.model, *compare_with)):
        check_model_name(name)  # before the first of them has been run for an hour
    searcher = _searcher(settings, required=pairs is None)
    if pairs is not None:
        evaluation_set = read_pairs(pairs)
    else:
        assert searcher is not None
        evaluation_set = photos_with_texts(searcher.generation, settings.index, queries)
    loaded = [
        _load(name, searcher, evaluation_set, settings, progress)
        for name in (settings.model, *compare_with)
    ]
    common = in_common([model.embedded for model in loaded])
    evaluation = Evaluation(evaluation_set, rejects=_rejects(evaluation_set, loaded))
    for model, embedded in zip(loaded, common, strict=True):
        evaluation.models.append(_evaluate(model, embedded, settings, progress, templates))
    if evaluation.models[0].adapted:
        evaluation.warnings.append(FLATTERED)
    return evaluation


@dataclass(frozen=True)
class _Loaded:
    """An encoder with what it made of the set; `own` is the index, where it is the index's."""

    encoder: Encoder
    own: Searcher | None
    embedded: Embedded
    latency: dict[str, dict[str, float]]
    load_seconds: float


def _load(
    name: str | None,
    searcher: Searcher | None,
    evaluation_set: EvaluationSet,
    settings: Settings,
    progress: Progress,
) -> _Loaded:
    started = time.perf_counter()
    with progress.task(f"loading {name or 'the model of the index'}"):
        encoder, own = _encoder(name, searcher, settings, first=name == settings.model)
    seconds = round(time.perf_counter() - started, 3)
    with progress.task("measuring latency"):
        measured = encoder_latency(encoder, _spread(evaluation_set.texts, LATENCY_TEXTS))
    embedded = embed(evaluation_set, encoder, settings, progress)
    return _Loaded(encoder, own, embedded, measured, seconds)


def _rejects(evaluation_set: EvaluationSet, loaded: Sequence[_Loaded]) -> list[Reject]:
    """What any of the models could not see, each once."""
    unread = [reject for model in loaded for reject in model.embedded.rejects]
    return [*evaluation_set.rejects, *dict.fromkeys(unread)]


def _searcher(settings: Settings, *, required: bool) -> Searcher | None:
    try:
        # An index is searched by its own model, whatever else is evaluated.
        return Searcher(settings.index, settings.model_copy(update={"model": None}))
    except IndexMissing:
        if required:
            raise
        return None


def _encoder(
    name: str | None, searcher: Searcher | None, settings: Settings, *, first: bool
) -> tuple[Encoder, Searcher | None]:
    """The encoder of a name, and the index where it is the index's own.

    The first model is that of the index, its adapter included, also where settings name it; to
    compare with, the same name means the model without the adapter.
    """
    if searcher is not None:
        manifest = searcher.generation.manifest
        own_name = name_from_here(manifest.model, searcher.index)
        if name is None or (first and name == own_name and settings.fit in (None, manifest.fit)):
            return without_memory(searcher.warm()), searcher
        if settings.fit is None:
            settings = settings.model_copy(update={"fit": manifest.fit})
    return load_encoder(name or STARTER, settings, bulk=True), None


def _evaluate(
    loaded: _Loaded,
    embedded: Embedded,
    settings: Settings,
    progress: Progress,
    templates: Sequence[str],
) -> ModelEvaluation:
    encoder, own, evaluation_set = loaded.encoder, loaded.own, embedded.evaluation_set
    with progress.task("ranking"):
        directions = _directions(embedded)
        zero_shot = classify(embedded.photos, evaluation_set.labels, encoder, templates)
        index: PhotoIndex
        if own is not None and evaluation_set.photo_ids is not None:
            index, ids = LivePhotos(own.generation), evaluation_set.photo_ids
        else:
            wanted = settings.index_type or "auto"
            index = PhotosInMemory(embedded.photos, wanted, settings.exact_limit)
            ids = np.arange(len(evaluation_set.photos), dtype=np.int64)
        relevant = evaluation_set.photos_of_texts(duplicates=False)
        loss = index_loss(index, ids, embedded.texts, embedded.photos, relevant)
        latencies = {**loaded.latency, **_search_latency(encoder, index, embedded)}
        if own is not None and evaluation_set.photo_ids is not None:
            latencies["page"] = _page_latency(own, evaluation_set.texts)
    cost = encoder.cost()
    return ModelEvaluation(
        model=encoder.name,
        adapted=isinstance(encoder, AdaptedEncoder),
        fingerprint=encoder.fingerprint,
        embedded=embedded,
        directions=directions,
        zero_shot=zero_shot,
        neighbours=same_category(
            embedded.photos, evaluation_set.clusters()[1], evaluation_set.labels
        ),
        index=loss,
        costs={
            "latency_ms": latencies,
            "throughput": {
                "images_per_second": embedded.images_per_second,
                "texts_per_second": embedded.texts_per_second,
            },
            "load_seconds": loaded.load_seconds,
            "flops": cost["flops"],
            "parameters": cost["parameters"],
        },
    )


def _directions(embedded: Embedded) -> dict[str, Direction]:
    evaluation_set = embedded.evaluation_set
    sides: dict[str, tuple[Vectors, Vectors, Callable[..., Any], Ints, Sequence[str | None]]]
    of_texts, of_photos = evaluation_set.clusters()
    sides = {
        "text_to_image": (
            embedded.texts,
            embedded.photos,
            evaluation_set.photos_of_texts,
            of_texts,
            evaluation_set.label_of_texts(),
        ),
        "image_to_text": (
            embedded.photos,
            embedded.texts,
            evaluation_set.texts_of_photos,
            of_photos,
            evaluation_set.labels,
        ),
    }
    return {
        name: Direction(
            plain=measure_vectors(asked, gallery, relevant(duplicates=False)),
            aware=measure_vectors(asked, gallery, relevant(duplicates=True)),
            clusters=clusters,
            categories=tuple(categories),
        )
        for name, (asked, gallery, relevant, clusters, categories) in sides.items()
    }


def _search_latency(
    encoder: Encoder, index: PhotoIndex, embedded: Embedded
) -> dict[str, dict[str, float]]:
    """`search`: from a vector to the nearest photos; `query`: from words to them."""
    vectors, texts = embedded.texts, _spread(embedded.evaluation_set.texts, LATENCY_TEXTS)
    return {
        "search": latency(lambda number: index.nearest(vectors[number % len(vectors)], FOUND)),
        "query": latency(
            lambda number: index.nearest(
                encoder.encode_texts([texts[number % len(texts)]])[0], FOUND
            )
        ),
    }


def _page_latency(own: Searcher, texts: Sequence[str]) -> dict[str, float]:
    """From words to a page of results, as people get it: fused with exact words, cards and all."""
    asked = _spread(texts, LATENCY_TEXTS)
    return latency(lambda number: own.search(asked[number % len(asked)], limit=FOUND))


def _spread(texts: Sequence[str], count: int) -> list[str]:
    rows = spread_evenly(len(texts), count)
    return [texts[row] for row in rows]
