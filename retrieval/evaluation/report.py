"""An evaluation as one HTML file that needs nothing beside it: figures, plots, worst misses."""

from __future__ import annotations

import base64
import datetime
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import jinja2
import markupsafe
import numpy as np

from retrieval.errors import ImageError
from retrieval.evaluation import plots
from retrieval.evaluation.evaluating import Evaluation, ModelEvaluation
from retrieval.images.files import find_image, read_photo_bytes
from retrieval.images.pool import DecodingPool, Limits
from retrieval.images.reading import PhotoReader

MISSES = 20
MISSES_A_CATEGORY = 3
CAME = 5
THUMBNAIL = 160
QUALITY = 80
MAX_PIXELS = 80_000_000
MAX_BYTES = 50_000_000
_PHOTOS = PhotoReader(Limits(MAX_PIXELS, seconds=20, memory=2_000_000_000), DecodingPool(1))


@dataclass(frozen=True)
class Shown:
    """A photo or a text in the gallery of misses; `photo` is a data URI, or None."""

    photo: str | None
    text: str
    cosine: float


@dataclass(frozen=True)
class Miss:
    """A query that went wrong: what was asked, what came, what should have."""

    asked: Shown
    category: str | None
    came: tuple[Shown, ...]
    right: tuple[Shown, ...]
    rank: int


def write_report(path: Path, evaluation: Evaluation) -> None:
    """Writes the report; nothing in it is fetched from anywhere, and no script runs."""
    first = evaluation.models[0]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("retrieval.evaluation"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("report.html").render(
        document=evaluation.as_dict(),
        labels=[model.label for model in evaluation.models],
        plots={name: markupsafe.Markup(svg) for name, svg in _plots(evaluation).items()},
        misses={name: _misses(first, name) for name in first.directions},
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, "utf-8")


def _plots(evaluation: Evaluation) -> dict[str, str]:
    first = evaluation.models[0]
    drawn = {
        name: plots.recall_curves(
            {model.label: model.directions[name].plain.rank for model in evaluation.models},
            name.replace("_", " "),
        )
        for name in first.directions
    }
    drawn["latency"] = plots.latency_bars(
        {model.label: model.costs["latency_ms"] for model in evaluation.models}
    )
    categories = first.directions["text_to_image"].as_dict().get("by_category")
    if categories:
        drawn["categories"] = plots.category_bars(categories)
    if first.zero_shot is not None:
        drawn["confusion"] = plots.confusion_plot(
            first.zero_shot.confusion(), first.zero_shot.classes
        )
    return drawn


def _misses(model: ModelEvaluation, direction: str) -> list[Miss]:
    """The queries whose right answer came latest, a few of each category."""
    result = model.directions[direction]
    taken: Counter[str | None] = Counter()
    misses: list[Miss] = []
    for query in np.argsort(-result.plain.rank, kind="stable").tolist():
        rank = int(result.plain.rank[query])
        category = result.categories[query]
        if rank <= CAME or len(misses) == MISSES:
            break
        if taken[category] < MISSES_A_CATEGORY:
            taken[category] += 1
            misses.append(_miss(model, direction, query, rank, category))
    return misses


def _miss(
    model: ModelEvaluation, direction: str, query: int, rank: int, category: str | None
) -> Miss:
    embedded = model.embedded
    from_text = direction == "text_to_image"
    asked, gallery = (
        (embedded.texts, embedded.photos) if from_text else (embedded.photos, embedded.texts)
    )
    pairs = embedded.evaluation_set
    relevant = (pairs.photos_of_texts if from_text else pairs.texts_of_photos)(duplicates=False)
    scores = gallery @ asked[query]
    came = np.argsort(-scores, kind="stable")[:CAME].tolist()
    right = sorted(relevant[query].tolist(), key=lambda row: -scores[row])[:CAME]

    def item(row: int, photo: bool, cosine: float) -> Shown:
        if photo:
            return Shown(_thumbnail(pairs.base, pairs.photos[row]), pairs.photos[row], cosine)
        return Shown(None, pairs.texts[row], cosine)

    return Miss(
        asked=item(query, not from_text, 1.0),
        category=category,
        came=tuple(item(row, from_text, float(scores[row])) for row in came),
        right=tuple(item(row, from_text, float(scores[row])) for row in right),
        rank=rank,
    )


def _thumbnail(base: Path, photo: str) -> str | None:
    """A data URI; None where the file is gone by now."""
    try:
        data = read_photo_bytes(find_image(base, photo), MAX_BYTES)
        pixels = _PHOTOS.read(data, THUMBNAIL, THUMBNAIL).pixels
    except ImageError:
        return None
    buffer = io.BytesIO()
    pixels.save(buffer, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
