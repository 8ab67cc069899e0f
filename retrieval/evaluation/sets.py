"""What is evaluated: photos, texts, and which of them belong together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from retrieval.common.text import text_hash
from retrieval.errors import SourceError
from retrieval.evaluation.metrics import Ints
from retrieval.sources import Reject, open_table
from retrieval.sources.columns import ALIASES, find_column
from retrieval.storage.base import Generation
from retrieval.storage.entities import Card, ImageRow

Relevant = list[npt.NDArray[np.intp]]

TEXT_COLUMNS = ("text", "caption", "query", "title", "description", "name")
LABEL_COLUMNS = ("label", "class", "category")


@dataclass(frozen=True)
class EvaluationSet:
    """Photos and texts that belong together.

    Attributes:
        photos: as they are written, to be found below `base`.
        photo_keys: equal for photos that show the same, once they were looked at; before that,
            the path.
        texts: one a caption: equal texts of different rows stand here apart.
        links: (p, 2) rows of `texts` and `photos`.
        labels: the class of each photo; None where none is known.
        rejects: what of a file could not be used.
        kind: what it is, in words.
        photo_ids: primary keys of the photos, where they are those of an index.
        photo_rows: the row of the file that names each photo first; empty where there is none.
    """

    base: Path
    photos: tuple[str, ...]
    photo_keys: tuple[str, ...]
    texts: tuple[str, ...]
    links: npt.NDArray[np.intp]
    labels: tuple[str | None, ...]
    rejects: tuple[Reject, ...] = ()
    kind: str = "pairs"
    photo_ids: Ints | None = None
    photo_rows: tuple[int, ...] = ()

    def photos_of_texts(self, *, duplicates: bool) -> Relevant:
        """For each text the photos that are right: its own, or also those of equal texts, and
        those that show the same."""
        texts = [text_hash(text) for text in self.texts]
        return _relevant(self.links, texts, self.photo_keys, duplicates)

    def texts_of_photos(self, *, duplicates: bool) -> Relevant:
        """For each photo the texts that are right."""
        texts = [text_hash(text) for text in self.texts]
        return _relevant(self.links[:, ::-1], self.photo_keys, texts, duplicates)

    def clusters(self) -> tuple[Ints, Ints]:
        """Of texts and of photos: those that any link joins are of one cluster."""
        apart = np.array([0, len(self.texts)])  # photos are numbered on after the texts
        owner = connected(len(self.texts) + len(self.photos), self.links + apart)
        return owner[: len(self.texts)], owner[len(self.texts) :]

    def label_of_texts(self) -> list[str | None]:
        """The label of the first photo of each text."""
        labels: list[str | None] = [None] * len(self.texts)
        for text, photo in self.links[::-1]:
            labels[text] = self.labels[photo]
        return labels

    def only(self, photos: Sequence[int], keys: Sequence[str]) -> EvaluationSet:
        """With these photos alone, whose keys are now known, and the texts that belong to them."""
        place = {photo: i for i, photo in enumerate(photos)}
        kept = [(text, place[photo]) for text, photo in self.links.tolist() if photo in place]
        used = sorted({text for text, _ in kept})
        row = {text: i for i, text in enumerate(used)}
        linked = {photo for _, photo in kept}
        if len(linked) < len(photos):
            raise ValueError("a photo without a text")
        return EvaluationSet(
            base=self.base,
            photos=tuple(self.photos[photo] for photo in photos),
            photo_keys=tuple(keys),
            texts=tuple(self.texts[text] for text in used),
            links=np.array([(row[text], photo) for text, photo in kept], dtype=np.intp),
            labels=tuple(self.labels[photo] for photo in photos),
            rejects=self.rejects,
            kind=self.kind,
            photo_ids=None if self.photo_ids is None else self.photo_ids[list(photos)],
            photo_rows=tuple(self.photo_rows[photo] for photo in photos if self.photo_rows),
        )


def read_pairs(path: Path) -> EvaluationSet:
    """A table with a column of photos (several split by `|`), one of texts, and maybe labels.

    Raises:
        SourceError: it cannot be read, lacks a column, or has no usable row.
    """
    table = open_table(path)
    image = find_column(table.columns, ALIASES["image"])
    text = find_column(table.columns, TEXT_COLUMNS)
    label = find_column(table.columns, LABEL_COLUMNS)
    if image is None or text is None:
        missing = "photos (`image`)" if image is None else "texts (`text`)"
        raise SourceError(f"{path} has no column of {missing}; name one so in its header")
    builder = _Builder(path.parent.resolve())
    for item in table.rows():
        if isinstance(item, Reject):
            builder.rejects.append(item)
            continue
        row, cells = item
        paths = [part.strip() for part in str(cells.get(image) or "").split("|")]
        words = " ".join(str(cells.get(text) or "").split())
        if not any(paths) or not words:
            lacking = image if not any(paths) else text
            builder.rejects.append(Reject(row, None, lacking, "", "the cell is empty; fill it"))
            continue
        named = str(cells.get(label) or "").strip() if label else ""
        builder.add(row, words, [part for part in paths if part], named or None)
    return builder.built(path)


def photos_with_texts(generation: Generation, index: Path, field_name: str) -> EvaluationSet:
    """The texts of a catalog's products (`title` or `description`) with their photos.

    Raises:
        SourceError: no product has both.
    """
    words: dict[int, str] = {}
    photos: list[tuple[ImageRow, Card]] = []
    for card in generation.scan():
        texts = [text.content for text in card.texts if text.field == field_name]
        if texts:
            words[card.id] = texts[-1]
            photos += [(image, card) for image in card.images]
    if not photos:
        raise SourceError(f"no product of {index} has a {field_name} and a photo to evaluate by")
    photos.sort(key=lambda photo: photo[0].id)
    text_row = {product: i for i, product in enumerate(dict.fromkeys(c.id for _, c in photos))}
    return EvaluationSet(
        base=index.resolve(),
        photos=tuple(image.path for image, _ in photos),
        photo_keys=tuple(image.content_hash for image, _ in photos),
        texts=tuple(words[product] for product in text_row),
        links=np.array([(text_row[card.id], i) for i, (_, card) in enumerate(photos)], np.intp),
        labels=tuple(card.category for _, card in photos),
        kind=f"{field_name}s of the catalog",
        photo_ids=np.array([image.id for image, _ in photos], dtype=np.int64),
    )


def connected(count: int, links: npt.NDArray[np.intp]) -> Ints:
    """(count,) the number of each item's component, where `links` (p, 2) join items."""
    parent = list(range(count))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for item, other in links.tolist():
        parent[root(item)] = root(other)
    return np.array([root(item) for item in range(count)], dtype=np.int64)


@dataclass
class _Builder:
    base: Path
    photos: dict[str, int] = field(default_factory=dict)
    labels: list[str | None] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    texts: dict[tuple[str, tuple[str, ...]], int] = field(default_factory=dict)
    links: list[tuple[int, int]] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)

    def add(self, row: int, text: str, photos: list[str], label: str | None) -> None:
        known = (text, tuple(photos))
        if known in self.texts:
            return
        number = self.texts.setdefault(known, len(self.texts))
        for photo in dict.fromkeys(photos):
            if photo not in self.photos:
                self.photos[photo] = len(self.photos)
                self.labels.append(label)
                self.rows.append(row)
            self.links.append((number, self.photos[photo]))

    def built(self, path: Path) -> EvaluationSet:
        if not self.links:
            raise SourceError(f"{path} has no usable row ({len(self.rejects)} rejected)")
        return EvaluationSet(
            base=self.base,
            photos=tuple(self.photos),
            photo_keys=tuple(self.photos),
            texts=tuple(text for text, _ in self.texts),
            links=np.array(self.links, dtype=np.intp),
            labels=tuple(self.labels),
            rejects=tuple(self.rejects),
            photo_rows=tuple(self.rows),
        )


def _relevant(
    links: npt.NDArray[Any], from_keys: Sequence[str], to_keys: Sequence[str], duplicates: bool
) -> Relevant:
    own: list[list[int]] = [[] for _ in from_keys]
    for source, target in links.tolist():
        own[source].append(target)
    if not duplicates:
        return [np.array(sorted(set(targets)), dtype=np.intp) for targets in own]
    same = defaultdict(list)
    for target, key in enumerate(to_keys):
        same[key].append(target)
    by_key: dict[str, set[int]] = defaultdict(set)
    for source, targets in enumerate(own):
        for target in targets:
            by_key[from_keys[source]].update(same[to_keys[target]])
    shared = {key: np.array(sorted(rows), dtype=np.intp) for key, rows in by_key.items()}
    return [shared[key] for key in from_keys]
