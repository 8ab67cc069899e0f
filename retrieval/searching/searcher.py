"""An index that is open for searching."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, Unpack

from retrieval.encoders import Encoder
from retrieval.encoders.batching import Counts
from retrieval.errors import GenerationGone, NotFound, RetrievalError
from retrieval.searching.answering import answer
from retrieval.searching.keywords import keywords_of
from retrieval.searching.query import Query, SearchOptions, make_query
from retrieval.searching.query_encoder import QueryEncoder
from retrieval.searching.results import Product, SearchResult
from retrieval.settings import Settings, load_settings
from retrieval.storage import open_storage
from retrieval.storage.base import Generation, Storage
from retrieval.storage.entities import Card

Value = TypeVar("Value")
PHOTOS_LOOKED_FOR = 20
SIMILAR = 12  # products shown beside one, and those that its words are judged by


@dataclass(frozen=True)
class _Opened:
    """An index as one process has it open."""

    storage: Storage
    encoder: QueryEncoder
    process: int

    @classmethod
    def here(cls, index: Path, settings: Settings) -> _Opened:
        storage = open_storage(index, settings)
        return cls(storage, QueryEncoder(storage.base, settings), os.getpid())


# What a child's parent had open: kept, as to drop it would close it.
_OF_PARENTS: list[_Opened] = []


class Searcher:
    """Answers queries on an index; safe to share between threads, and with forked processes.

    The model is loaded at the first query that needs it: searches by exact words, and for what
    is like a product of the catalog, do without.
    """

    def __init__(self, index: Path | str, settings: Settings | None = None) -> None:
        """Raises IndexMissing or IndexDamaged."""
        self.index = Path(index)
        self._settings = settings or load_settings()
        self._open()
        self._storage.current()

    def _open(self) -> None:
        self._opened = _Opened.here(self.index, self._settings)

    @property
    def _here(self) -> _Opened:
        """What is open, opened anew where this process was forked since.

        A child has none of its parent's threads, its locks as some of them held them, and its
        handles of SQLite, which are the parent's to close: what waits for them waits for ever.
        """
        if self._opened.process != os.getpid():
            _OF_PARENTS.append(self._opened)
            self._open()
        return self._opened

    @property
    def _storage(self) -> Storage:
        return self._here.storage

    @property
    def _encoder(self) -> QueryEncoder:
        return self._here.encoder

    def search(
        self, text: str | Sequence[str] | None = None, **options: Unpack[SearchOptions]
    ) -> SearchResult:
        """Products by words, by photo, by likeness, or by all of these together.

        Args:
            text: words; several texts are averaged.
            options: see `retrieval.searching.query.SearchOptions`.

        Raises:
            QueryError: the query makes no sense.
            NotFound: there is no product of an id that it names.
            ImageError: a photo cannot be read.
            IndexMismatch: the model on this machine is not the one that made the index.
            EncoderError: the model cannot be loaded.
            Overtime: it takes longer than the caller allows, see `retrieval.common.deadline`.
        """
        return self.answer(make_query(text, **options))

    def answer(self, query: Query) -> SearchResult:
        """The page of results of a checked query; see `search` for what it raises."""
        return self._read(
            lambda generation: answer(query, generation, self._encoder, self._storage.photo_path)
        )

    def similar(self, key: str, *, limit: int = 20, offset: int = 0) -> SearchResult:
        """Products like one of the catalog; raises NotFound where there is no such product."""
        return self.search(like=key, limit=limit, offset=offset)

    def product(
        self, key: str, *, words: bool = True, similar: Sequence[str] | None = None
    ) -> Product:
        """All that is known of a product; raises NotFound where there is none.

        Args:
            words: with those that it goes by, which takes a search for what is like it.
            similar: ids of products like it, where they are known already.
        """
        if words and similar is None:
            self.product(key, words=False)  # one that is not there is told as such
            similar = [hit.id for hit in self.similar(key, limit=SIMILAR)]

        def read(generation: Generation) -> Product:
            ids = generation.product_ids([key, *(similar or ())])
            if ids[0] < 0:
                raise NotFound(f"there is no product {key!r}")
            cards = generation.cards([int(number) for number in ids if number >= 0])
            card = cards.pop(int(ids[0]))
            images = tuple(self._storage.photo_path(image.path) for image in card.images)
            if not words:
                return Product.of(card, images)
            count = generation.manifest.products
            frequency = generation.document_frequency
            return Product.of(
                card, images, keywords_of(card, list(cards.values()), count, frequency)
            )

        return self._read(read)

    def catalog_map(self) -> list[tuple[Card, float, float]]:
        """Products, and where each lies on the map of the catalog; places are in [0, 1]."""

        def read(generation: Generation) -> list[tuple[Card, float, float]]:
            catalog_map = generation.catalog_map()
            if catalog_map is None:
                return []
            ids = catalog_map.ids.tolist()
            cards = generation.cards(ids)
            return [
                (cards[number], float(x), float(y))
                for number, (x, y) in zip(ids, catalog_map.places, strict=True)
            ]

        return self._read(read)

    def photos_there(self, sample: int = PHOTOS_LOOKED_FOR) -> tuple[int, int]:
        """How many products of an even sample have their first photo where the index says it is,
        and how many were looked for."""

        def read(generation: Generation) -> list[str]:
            products = generation.sample_products(sample, with_all_of=("images",))
            return [card.images[0].path for card in generation.cards(products.tolist()).values()]

        paths = [self._storage.photo_path(path) for path in self._read(read)]
        return sum(map(os.path.isfile, paths)), len(paths)

    def _read(self, read: Callable[[Generation], Value]) -> Value:
        """What `read` makes of the live generation.

        One that was live when it began may be dropped before all of its files are open, where
        several are published within a moment: then the one that is live by now is read.
        """
        generation = self.generation
        while True:
            try:
                value = read(generation)
            except GenerationGone:
                newer = self._storage.newer(generation)
                if newer is None:
                    raise
                generation = newer
                continue
            except RetrievalError:
                generation.check()
                raise
            except Exception:
                # Of a damaged file anything may come: then that is what is told.
                generation.check(thorough=True)
                raise
            generation.check()
            return value

    @property
    def generation(self) -> Generation:
        """The live generation."""
        return self._storage.current()

    def refresh(self) -> None:
        """Takes up what was published by now, waiting for it to be opened.

        Raises IndexDamaged where it cannot be; the generation before goes on answering then.
        """
        self._storage.newer(self.generation)

    def warm(self) -> Encoder:
        """Loads the model now, rather than at the first query that needs it."""
        return self._encoder.of(self.generation)

    @property
    def backend(self) -> str | None:
        """What runs the model; None until it is loaded."""
        return self._encoder.backend

    @property
    def counts(self) -> Counts:
        """How many texts were remembered, and how many queries were joined."""
        return self._encoder.counts
