"""The vectors of an evaluation set: stored ones where there are any, the rest made now."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from retrieval.common.products import ProductRecord, Reject
from retrieval.common.progress import Progress
from retrieval.common.text import text_hash
from retrieval.encoders import Encoder, ModelInput, Vectors, normalise
from retrieval.encoders.adapter import AdaptedEncoder
from retrieval.errors import SourceError
from retrieval.evaluation.sets import EvaluationSet
from retrieval.indexing.preparing import Prepared, SourceReader
from retrieval.settings import Settings
from retrieval.storage import open_storage

TEXTS_AT_ONCE = 256


@dataclass(frozen=True)
class Embedded:
    """A set with its vectors.

    Attributes:
        evaluation_set: the set, less the photos that could not be read.
        photos: (n, d) of `evaluation_set.photos`; texts: (m, d) of `evaluation_set.texts`.
        images_per_second, texts_per_second: from file to vector; None where none were made.
        rejects: photos that could not be read.
    """

    evaluation_set: EvaluationSet
    photos: Vectors
    texts: Vectors
    images_per_second: float | None
    texts_per_second: float | None
    rejects: tuple[Reject, ...]

    def only(self, photos: set[str]) -> Embedded:
        """With these photos alone, and the texts that belong to them."""
        if len(photos) == len(self.evaluation_set.photos):
            return self
        rows = [i for i, photo in enumerate(self.evaluation_set.photos) if photo in photos]
        evaluation_set = self.evaluation_set.only(
            rows, [self.evaluation_set.photo_keys[i] for i in rows]
        )
        linked = set(rows)
        texts = sorted(
            {text for text, photo in self.evaluation_set.links.tolist() if photo in linked}
        )
        return replace(
            self, evaluation_set=evaluation_set, photos=self.photos[rows], texts=self.texts[texts]
        )


def embed(
    evaluation_set: EvaluationSet, encoder: Encoder, settings: Settings, progress: Progress
) -> Embedded:
    """Embeds a set with an encoder.

    Texts that the catalog in `settings.index` has vectors of, by this model, are not embedded
    again; nor are the photos of a catalog's own set, of which not one is read.

    Raises:
        SourceError: not one photo can be read.
    """
    base = encoder.base if isinstance(encoder, AdaptedEncoder) else encoder
    stored = _stored(
        settings,
        base.fingerprint,
        [*evaluation_set.photo_keys, *_hashes(evaluation_set.texts)],
    )
    photo_vectors = {i: stored[k] for i, k in enumerate(evaluation_set.photo_keys) if k in stored}
    keys = dict(enumerate(evaluation_set.photo_keys))
    rejects: list[Reject] = []
    missing = [i for i in range(len(evaluation_set.photos)) if i not in photo_vectors]
    started = time.perf_counter()
    made: dict[str, Vectors] = {}
    for number, outcome in _look_at(evaluation_set, missing, base, settings, progress, made):
        if isinstance(outcome, Reject):
            rejects.append(outcome)
        else:
            keys[number] = outcome
    for number in missing:
        if keys[number] in made:
            photo_vectors[number] = made[keys[number]]
    image_seconds = time.perf_counter() - started
    kept = sorted(photo_vectors)
    if not kept:
        reason = f": {rejects[0].value}: {rejects[0].reason}" if rejects else ""
        raise SourceError(f"not one of {len(evaluation_set.photos)} photos can be read{reason}")
    evaluation_set = evaluation_set.only(kept, [keys[i] for i in kept])
    photos = np.stack([photo_vectors[i] for i in kept])
    started = time.perf_counter()
    texts, count = _embed_texts(evaluation_set.texts, base, stored, progress)
    text_seconds = time.perf_counter() - started
    if isinstance(encoder, AdaptedEncoder):
        photos = encoder.adapter.apply("images", photos)
        texts = encoder.adapter.apply("texts", texts)
    return Embedded(
        evaluation_set=evaluation_set,
        photos=normalise(photos),
        texts=normalise(texts),
        images_per_second=_rate(len(made), image_seconds),
        texts_per_second=_rate(count, text_seconds),
        rejects=tuple(rejects),
    )


def read_inputs(
    evaluation_set: EvaluationSet, encoder: Encoder, settings: Settings, progress: Progress
) -> tuple[list[int], list[ModelInput]]:
    """The photos of a set that can be read: their rows, and each as the encoder prepares it."""
    records = (
        _record(evaluation_set.base, row, photo) for row, photo in enumerate(evaluation_set.photos)
    )
    rows: list[int] = []
    inputs: list[ModelInput] = []
    with progress.task("reading photos", len(evaluation_set.photos)) as task:
        for item in SourceReader(evaluation_set.base, settings, encoder).stream(
            records, None, None
        ):
            task.advance()
            assert isinstance(item, Prepared)
            if not item.rejects:
                rows.append(int(item.record.key))
                inputs += item.inputs.values()
    return rows, inputs


def in_common(sets: Sequence[Embedded]) -> list[Embedded]:
    """The sets with those photos alone that each of them has, so that they can be compared.

    Raises:
        SourceError: there is no such photo.
    """
    shared = set.intersection(*(set(embedded.evaluation_set.photos) for embedded in sets))
    if not shared:
        raise SourceError("the models have no photo in common that both can see")
    return [embedded.only(shared) for embedded in sets]


def _rate(count: int, seconds: float) -> float | None:
    return round(count / seconds, 1) if count else None


def _look_at(
    evaluation_set: EvaluationSet,
    numbers: Sequence[int],
    encoder: Encoder,
    settings: Settings,
    progress: Progress,
    made: dict[str, Vectors],
) -> Iterator[tuple[int, str | Reject]]:
    """Reads photos in threads and embeds them in batches into `made`, by content hash.

    Yields the number of each photo with its content hash, or why it cannot be read.
    """
    if not numbers:
        return
    waiting: dict[str, ModelInput] = {}

    def flush() -> None:
        vectors = encoder.encode_images(list(waiting.values()))
        made.update(zip(waiting, vectors, strict=True))
        waiting.clear()

    records = (
        _record(evaluation_set.base, number, evaluation_set.photos[number]) for number in numbers
    )
    reader = SourceReader(evaluation_set.base, settings, encoder)
    with progress.task(f"embedding photos with {encoder.name}", len(numbers)) as task:
        for item in reader.stream(records, None, None):
            task.advance()
            assert isinstance(item, Prepared)
            number = int(item.record.key)
            if item.rejects:
                first = item.rejects[0]
                row = evaluation_set.photo_rows[number] if evaluation_set.photo_rows else None
                yield number, Reject(row, None, "image", first.value, first.reason)
                continue
            yield number, item.images[0].content_hash
            new = {key: square for key, square in item.inputs.items() if key not in made}
            waiting.update(new)
            if len(waiting) >= settings.batch_size:
                flush()
        if waiting:
            flush()


def _record(base: Path, number: int, photo: str) -> ProductRecord:
    return ProductRecord(key=str(number), base=base, images=(photo,))


def _embed_texts(
    texts: Sequence[str], encoder: Encoder, stored: dict[str, Vectors], progress: Progress
) -> tuple[Vectors, int]:
    """Vectors (m, d), and how many had to be made."""
    hashes = _hashes(texts)
    missing = {key: text for key, text in zip(hashes, texts, strict=True) if key not in stored}
    known = dict(stored)
    keys = list(missing)
    if keys:
        with progress.task(f"embedding texts with {encoder.name}", len(keys)) as task:
            for start in range(0, len(keys), TEXTS_AT_ONCE):
                part = keys[start : start + TEXTS_AT_ONCE]
                vectors = encoder.encode_texts([missing[key] for key in part])
                known.update(zip(part, vectors, strict=True))
                task.advance(len(part))
    return np.stack([known[key] for key in hashes]), len(keys)


def _hashes(texts: Sequence[str]) -> list[str]:
    return [text_hash(text) for text in texts]


def _stored(settings: Settings, fingerprint: str, hashes: Sequence[str]) -> dict[str, Vectors]:
    """Vectors that the catalog holds for these content hashes, by the model with `fingerprint`."""
    storage = open_storage(settings.index, settings)
    if not storage.exists():
        return {}
    with storage.reading() as catalog:
        return catalog.vectors(hashes, fingerprint)
