"""One query on one generation: vectors -> nearest neighbours -> filter -> fuse -> cards -> page."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from retrieval.encoders import Encoder, ModelInput, normalise
from retrieval.errors import NotFound, QueryError
from retrieval.images.files import opener
from retrieval.searching.lexical import most_bm25, query_words, telling_words
from retrieval.searching.query import ImageInput, Query
from retrieval.searching.ranking import (
    POOL,
    Part,
    Products,
    Ranked,
    by_spread,
    by_words,
    compose,
    extended,
    fuse,
    rank_products,
    spread_of,
)
from retrieval.searching.results import Hit, Matched, SearchResult
from retrieval.searching.timing import Stages
from retrieval.storage.entities import Card
from retrieval.storage.folder.ann import Mask
from retrieval.storage.folder.fts5 import match_expression
from retrieval.storage.folder.gallery import Positions, Scores
from retrieval.storage.folder.generation import Reader

MODALITY = {"images": "image", "texts": "text"}
# Beside one spread of the cosines of a gallery: what being all about the words counts, and what
# having every word does. Chosen on 150 paraphrases and 100 attribute queries of the samples.
LIST_WEIGHTS = {"images": 0.5, "texts": 1.0, "words": 8.0, "every word": 0.5}
# With a photo or a likeness, words only move what is near it already. Chosen on photos of samples
# that are asked for in the colour or the material of another of their family.
NEAR = 50
NEAR_WEIGHTS = {"images": 1.0, "texts": 0.5, "words": 1.0, "every word": 1.0}


class Source(Protocol):
    """What an answer needs beside the generation: the model, and where the index lies."""

    index: Path

    def encoder_of(self, reader: Reader) -> Encoder: ...

    def read_image(self, image: ImageInput, encoder: Encoder) -> ModelInput: ...


@dataclass(frozen=True)
class _Row:
    """A photo or a text of a product, as the query matches it."""

    gallery: str
    row: Any
    cosine: float
    strength: float | None
    strongest: float | None

    @property
    def comparable(self) -> float:
        return -1.0 if self.strength is None else self.strength


class Answer:
    """One query on one generation."""

    def __init__(self, source: Source, reader: Reader, query: Query) -> None:
        self._source = source
        self._reader = reader
        self._query = query
        self._key_order = reader.snapshot.key_order
        self._stage = Stages()
        with self._stage("catalog"):
            self._allowed = self._filter()
        self._parts = [] if query.mode == "lexical" else self._embed()
        self._composed = {
            name: compose(self._parts, reader.galleries[name]) for name in self._gallery_names()
        }
        self._by_words: frozenset[int] = frozenset()
        self._by_id: int | None = None

    def result(self, started: float) -> SearchResult:
        query = self._query
        products, scores, total = self._rank(query.offset + query.limit)
        page = products[query.offset : query.offset + query.limit]
        hits = self._hits(page, scores[query.offset : query.offset + query.limit])
        return SearchResult(
            query=query.as_dict(),
            mode=query.mode,
            took_ms=round((time.perf_counter() - started) * 1000, 2),
            stages_ms={name: round(took, 2) for name, took in self._stage.took_ms.items()},
            total=total,
            generation=self._reader.manifest.generation,
            results=tuple(hits),
        )

    def _gallery_names(self) -> list[str]:
        """Which vectors are searched. A photo alone is held against photos only: what a model
        sees in common between a photo and words is too coarse to order them by."""
        if not self._parts:
            return []
        if self._query.scope != "products":
            names = [self._query.scope]
        else:
            words = any(part.modality == "text" and part.weight > 0 for part in self._parts)
            names = ["images", "texts"] if words else ["images"]
        return [name for name in names if len(self._reader.galleries[name])]

    def _filter(self) -> Mask | None:
        query, snapshot = self._query, self._reader.snapshot
        if not (query.where or query.like or query.unlike):
            return None
        allowed = np.ones(len(snapshot.product_ids), dtype=np.bool_)
        if query.where:
            allowed &= snapshot.matching(query.where)
            if not allowed.any():
                self._check_fields()
        for key in (*query.like, *query.unlike):
            allowed[snapshot.positions_of([self._product_id(key)])] = False
        return allowed

    def _check_fields(self) -> None:
        """A filter on a column that no product has is a slip, and not an empty shelf."""
        known = self._reader.snapshot.field_names()
        for one in self._query.where:
            if one.field.lower() not in {name.lower() for name in known}:
                shown = ", ".join(known[:20])
                raise QueryError(f"no product has a {one.field!r}; filter by: {shown}")

    def _product_id(self, key: str) -> int:
        found = self._reader.snapshot.product_id(key)
        if found is None:
            raise NotFound(f"there is no product {key!r} to be like")
        return found

    def _embed(self) -> list[Part]:
        query = self._query
        parts = [self._like(key, query.weights["like"]) for key in query.like]
        away = query.weights["minus"] / max(1, len(query.unlike))
        parts += [self._like(key, -away) for key in query.unlike]
        if query.texts or query.images or query.minus:
            encoder = self._source.encoder_of(self._reader)
            with self._stage("decode"):
                inputs = [self._source.read_image(image, encoder) for image in query.images]
            with self._stage("encode"):
                photos = encoder.encode_images(inputs)
                words = encoder.encode_texts([*query.texts, *query.minus])
            weight = query.weights["image"] / max(1, len(inputs))
            parts += [Part("image", vector, weight) for vector in photos]
            wanted, unwanted = words[: len(query.texts)], words[len(query.texts) :]
            for vectors, weight in (
                (wanted, query.weights["text"]),
                (unwanted, -query.weights["minus"]),
            ):
                parts += [Part("text", vector, weight / len(vectors)) for vector in vectors]
        parts = [part for part in parts if part.weight]
        if not any(part.weight > 0 for part in parts):
            raise QueryError("every part of the query has weight 0; give one of them some")
        return parts

    def _like(self, key: str, weight: float) -> Part:
        """The mean of a product's photos, or of its texts where it has none."""
        rows = self._reader.snapshot.rows_of(self._product_id(key))
        name = "images" if rows["images"] else "texts"
        gallery = self._reader.galleries[name]
        positions = gallery.positions_of(np.asarray(rows[name], dtype=np.int64))
        mean = np.asarray(gallery.vectors[positions], dtype=np.float32).mean(axis=0)
        return Part(MODALITY[name], normalise(mean), weight)

    def _rank(self, needed: int) -> tuple[Products, Scores, int]:
        """Products and scores, at least `needed` where there are as many, and how many in all."""
        words = self._words()
        names = list(self._composed)
        complete = len(self._by_words)
        if self._query.mode == "lexical":
            scores = np.round((words.scores + (np.arange(len(words)) < complete)) / 2, 6)
            products, scores = self._exact_id_first(words.products, scores)
            return products, scores, len(products)
        total = self._reachable(names, words.products)
        if len(names) == 1 and not len(words):
            return (*self._nearest(names[0], needed), total)
        lists = {name: self._by_vector(name) for name in names}
        by_photo = lists and (self._query.images or self._query.like)
        near = next(iter(lists.values())).products[:NEAR] if by_photo else None
        lists |= by_words(words, complete, near)
        products, scores = fuse(lists, self._list_weights(), self._key_order)
        products, scores = self._exact_id_first(products, scores)
        for name in names:
            if needed > len(products):
                more, _ = self._nearest(name, needed)
                products, scores = extended(products, scores, more, needed)
        return products, scores, total

    def _by_vector(self, name: str) -> Ranked:
        spread = spread_of(self._composed[name], self._reader.galleries[name])
        return by_spread(*self._nearest(name, POOL), spread)

    def _nearest(self, name: str, depth: int) -> tuple[Products, Scores]:
        gallery = self._reader.galleries[name]
        query = self._composed[name]
        with self._stage("search"):
            return rank_products(gallery, query, depth, self._key_order, self._allowed)

    def _list_weights(self) -> dict[str, float]:
        """Words count as much, beside vectors, as the text does beside photos and likenesses."""
        query = self._query
        others = {"image": query.images, "like": query.like}
        most = max([query.weights["text"], *(query.weights[k] for k, v in others.items() if v)])
        share = query.weights["text"] / most
        weights = NEAR_WEIGHTS if query.images or query.like else LIST_WEIGHTS
        return {
            name: weight * share if "word" in name else weight for name, weight in weights.items()
        }

    def _reachable(self, names: list[str], words: Products) -> int:
        mask = np.zeros(len(self._key_order), dtype=np.bool_)
        for name in names:
            mask |= self._reader.has_rows[name]
        mask[words] = True
        return int((mask if self._allowed is None else mask & self._allowed).sum())

    def _words(self) -> Ranked:
        """Products by BM25, 0 to 1: first those with every word, then those with any."""
        query = self._query
        if query.mode == "vector" or not query.texts or not query.weights["text"]:
            return Ranked(np.empty(0, np.int64), np.empty(0))
        words = query_words(query.text)
        with self._stage("catalog"):
            holding = self._reader.snapshot.holding(words)
        products, scores = self._word_matches(words, every=True)
        self._by_words = frozenset(products.tolist())
        if query.mode == "lexical" or len(products) < POOL:
            telling = words if query.mode == "lexical" else telling_words(words, holding)
            some, theirs = self._word_matches(telling, every=False)
            others = ~np.isin(some, products)
            products = np.concatenate([products, some[others]])
            scores = np.concatenate([scores, theirs[others]])
        return Ranked(
            products, (scores / most_bm25(words, holding, len(self._key_order))).clip(0, 1)
        )

    def _word_matches(self, words: Sequence[str], *, every: bool) -> tuple[Products, Scores]:
        query, snapshot = self._query, self._reader.snapshot
        expression = match_expression(words, query.minus, every=every)
        if expression is None:
            return np.empty(0, np.int64), np.empty(0)
        # A filter comes after, and pages of words alone may go to the end: then all are needed.
        limited = query.mode == "hybrid" and self._allowed is None
        with self._stage("catalog"):
            matches = snapshot.words(expression, 2 * POOL if limited else None)
        products = snapshot.positions_of([product for product, _ in matches])
        scores = np.round([score for _, score in matches], 6)
        order = np.lexsort((self._key_order[products], -scores))
        if self._allowed is not None:
            order = order[self._allowed[products[order]]]
        return products[order], scores[order]

    def _exact_id_first(self, products: Products, scores: Scores) -> tuple[Products, Scores]:
        """A query that is the id of a product means that product."""
        found = self._reader.snapshot.product_id_of_query(self._query.text)
        if found is None:
            return products, scores
        position = int(self._reader.snapshot.positions_of([found])[0])
        if self._allowed is not None and not self._allowed[position]:
            return products, scores
        self._by_words |= {position}
        self._by_id = position
        others = products != position
        return (
            np.concatenate([[position], products[others]]),
            np.concatenate([[1.0], scores[others]]),
        )

    def _hits(self, products: Products, scores: Scores) -> list[Hit]:
        snapshot = self._reader.snapshot
        ids = snapshot.product_ids[products].tolist()
        with self._stage("catalog"):
            found = snapshot.cards(ids)
        cards = [found[product_id] for product_id in ids]
        worded = {
            i for i, place in zip(ids, products.tolist(), strict=True) if place in self._by_words
        }
        with self._stage("search"):
            best = self._best_rows(cards, worded)
        opened = opener(self._source.index)
        ranks = itertools.count(self._query.offset + 1)
        return [
            self._hit(rank, int(position), card, float(score), best.get(card.id), opened)
            for rank, position, card, score in zip(ranks, products, cards, scores, strict=False)
        ]

    def _hit(
        self,
        rank: int,
        position: int,
        card: Card,
        score: float,
        best: _Row | None,
        opened: Callable[[str], str],
    ) -> Hit:
        matched, strength = self._match(position, best, opened)
        paths = tuple(opened(image.path) for image in card.images)
        # Beside a photo a word in common is not enough: it is to be like the photo, too.
        by_words = position in self._by_words and not (self._query.images or self._query.like)
        strongest = None if best is None else best.strongest
        return Hit(
            rank=rank,
            id=card.key,
            title=card.title,
            score=min(1.0, score),  # float16 makes some vectors a bit too long
            image=matched.image or (paths[0] if paths else None),
            matched=matched,
            category=card.category,
            brand=card.brand,
            price=card.price,
            description=card.description,
            attributes=card.attributes,
            images=paths,
            strength=None if strength is None else round(strength, 4),
            weak=not by_words and strongest is not None and strongest < 0.5,
        )

    def _best_rows(self, cards: Sequence[Card], worded: set[int]) -> dict[int, _Row]:
        """For each card the photo or text that the query matches best, and how strongly; `worded`
        are the products with every word."""
        best: dict[int, _Row] = {}
        for name, query in self._composed.items():
            gallery = self._reader.galleries[name]
            shown: list[tuple[int, Any]] = [
                (card.id, row)
                for card in cards
                for row in (card.images if name == "images" else card.texts)
            ]
            if not shown:
                continue
            positions = gallery.positions_of(np.array([row.id for _, row in shown], np.int64))
            scores = gallery.score(query, positions)
            met = np.array([owner in worded for owner, _ in shown])
            strengths = self._strengths(name, positions, met)
            of_gallery: dict[int, _Row] = {}
            for number, (owner, row) in enumerate(shown):
                mean, strongest = (None, None) if strengths is None else strengths[number].tolist()
                one = _Row(name, row, float(scores[number]), mean, strongest)
                if owner not in of_gallery or one.cosine > of_gallery[owner].cosine:
                    of_gallery[owner] = one
            for owner, one in of_gallery.items():
                # Without calibration strengths of the two kinds cannot be compared: photos first.
                if owner not in best or one.comparable > best[owner].comparable:
                    best[owner] = one
        return best

    def _match(
        self, position: int, best: _Row | None, opened: Callable[[str], str]
    ) -> tuple[Matched, float | None]:
        """Why a product was found, and how strongly."""
        if position == self._by_id:
            return Matched("id"), 1.0
        if best is None:
            return Matched("words"), None
        strength = best.strength
        if position in self._by_words and (strength is None or strength < 0.5):
            return Matched("words", cosine=None), strength
        if best.gallery == "images":
            path = opened(best.row.path)
            return Matched("image", image=path, cosine=best.cosine), strength
        text = best.row
        return Matched("text", field=text.field, text=text.content, cosine=best.cosine), strength

    def _strengths(
        self, gallery: str, positions: Positions, met: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.float64] | None:
        """(n, 2) mean of the parts' strengths, by their weights, and the strongest of them, of the
        photos where there are any: what has but a word in common is not like the photo. What is,
        and has all words (`met`), meets these in full: a colour's own cosine says little. Parts
        that push away do not count. None where the catalog is too small to say."""
        rows = np.asarray(self._reader.galleries[gallery].vectors[positions], dtype=np.float32)
        with_photo = any(part.modality == "image" and part.weight > 0 for part in self._parts)
        total, strongest, weights = np.zeros(len(rows)), np.zeros(len(rows)), 0.0
        for part in sorted(self._parts, key=lambda part: part.modality != "image"):
            calibration = self._reader.calibration.get(f"{part.modality}>{gallery}")
            if part.weight > 0 and calibration is not None:
                strengths = calibration.strengths(rows @ part.vector)
                if with_photo and part.modality == "text":
                    strengths = np.where(met & (strongest >= 0.5), 1.0, strengths)
                total += part.weight * strengths
                if part.modality == "image" or not with_photo:
                    strongest = np.maximum(strongest, strengths)
                weights += part.weight
        return np.column_stack([total / weights, strongest]) if weights else None
