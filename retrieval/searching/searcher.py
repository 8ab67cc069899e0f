"""An index that is open for searching: the live generation, and the model that made it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import DatabaseError

from retrieval.encoders import Encoder, ModelInput, load_encoder, name_from_here
from retrieval.encoders.adapter import AdaptedEncoder
from retrieval.encoders.batching import Counts, JoiningEncoder
from retrieval.errors import ImageError, IndexMismatch, NotFound
from retrieval.images.decoding import decode_photo, upright_rgb
from retrieval.images.files import opener, read_photo_bytes
from retrieval.searching.answering import Answer
from retrieval.searching.keywords import keywords_of
from retrieval.searching.query import ImageInput, Query, make_query
from retrieval.searching.results import Product, SearchResult
from retrieval.settings import Settings, load_settings
from retrieval.storage.entities import Card
from retrieval.storage.filters import Where
from retrieval.storage.folder.generation import LiveReader, Reader

Found = TypeVar("Found")
SIMILAR = 12  # products shown beside one, and those that its words are judged by


class Searcher:
    """Answers queries on the index in a folder; safe to share between threads.

    The model is loaded at the first query that needs it: searches by exact words, and for what
    is like a product of the catalog, do without.
    """

    def __init__(self, index: Path | str, settings: Settings | None = None) -> None:
        """Raises IndexMissing or IndexDamaged."""
        self.index = Path(index)
        self._settings = settings or load_settings()
        self._live = LiveReader(self.index)
        self._encoder: Encoder | None = None
        self._loaded: tuple[str, str, JoiningEncoder] | None = None
        self._encoder_lock = threading.Lock()

    def search(
        self,
        text: str | Sequence[str] | None = None,
        *,
        image: ImageInput | Sequence[ImageInput] | None = None,
        like: str | Sequence[str] | None = None,
        minus: str | Sequence[str] | None = None,
        unlike: str | Sequence[str] | None = None,
        weights: Mapping[str, float] | str | None = None,
        where: Where = None,
        scope: str = "products",
        mode: str | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> SearchResult:
        """Products by words, by photo, by likeness, or by all of these together.

        Args:
            image: path, bytes or picture; several are averaged, as several texts are.
            like: id of a product of the catalog; it is not among the results.
            minus: words for what is not wanted.
            unlike: id of a product that what is wanted is not like; it is not among the results.
            weights: `{"text": 1, "image": 0.5}`; see `retrieval.searching.query.WEIGHTS`.
            where: `{"category": "Chairs", "price": {"<": 100}}` or `["price<100"]`.
            scope: `products`, `images` or `texts`: which vectors may answer.
            mode: `vector`, `lexical` or `hybrid`; None chooses.

        Raises:
            QueryError: the query makes no sense.
            ImageError: a photo cannot be read.
            IndexMismatch: the model on this machine is not the one that made the index.
            EncoderError: the model cannot be loaded.
        """
        query = make_query(
            text=text,
            image=image,
            like=like,
            minus=minus,
            unlike=unlike,
            weights=weights,
            where=where,
            scope=scope,
            mode=mode,
            limit=limit,
            offset=offset,
        )
        return self.answer(query)

    def answer(self, query: Query) -> SearchResult:
        """The page of results of a checked query; see `search` for what it raises."""
        started = time.perf_counter()
        return self._read(lambda reader: Answer(self, reader, query).result(started))

    def similar(self, key: str, *, limit: int = 20, offset: int = 0) -> SearchResult:
        """Products like one of the catalog; raises NotFound where there is no such product."""
        return self.search(like=key, limit=limit, offset=offset)

    def product(self, key: str) -> Product:
        """All that is known of a product; raises NotFound where there is none."""
        card = self.card(key)
        opened = opener(self.index)
        likes = [hit.id for hit in self.similar(key, limit=SIMILAR)]
        return Product(
            id=card.key,
            title=card.title,
            description=card.description,
            category=card.category,
            brand=card.brand,
            price=card.price,
            attributes=card.attributes,
            images=tuple(opened(image.path) for image in card.images),
            words=tuple(self.words(key, likes)),
        )

    def card(self, key: str) -> Card:
        """All that the live generation knows of a product; raises NotFound if there is none."""

        def read(reader: Reader) -> Card:
            found = reader.snapshot.product_id(key)
            if found is None:
                raise NotFound(f"there is no product {key!r}")
            return reader.snapshot.cards([found])[found]

        return self._read(read)

    def words(self, key: str, likes: Sequence[str] = ()) -> list[str]:
        """The words that a product goes by, judged by its own and those of the products `likes`.

        Raises NotFound where there is no such product; likes that are gone are passed over.
        """

        def read(reader: Reader) -> list[str]:
            snapshot = reader.snapshot
            ids = [snapshot.product_id(one) for one in (key, *likes)]
            if ids[0] is None:
                raise NotFound(f"there is no product {key!r}")
            cards = snapshot.cards([found for found in ids if found is not None])
            product = cards.pop(ids[0])
            return keywords_of(
                product, list(cards.values()), len(snapshot.key_order), snapshot.holding
            )

        return self._read(read)

    def catalog_map(self) -> list[tuple[Card, float, float]]:
        """Products, and where each lies on the map of the catalog; places are in [0, 1]."""

        def read(reader: Reader) -> list[tuple[Card, float, float]]:
            if reader.map is None:
                return []
            cards = reader.snapshot.cards(reader.map.ids.tolist())
            return [
                (cards[number], float(x), float(y))
                for number, (x, y) in zip(reader.map.ids.tolist(), reader.map.places, strict=True)
            ]

        return self._read(read)

    def _read(self, read: Callable[[Reader], Found]) -> Found:
        """What `read` makes of the live generation.

        One that was live when it began may be dropped before all of its files are open, where
        several are published within a moment: then the one that is live by now is read.
        """
        reader = self._live.get()
        while True:
            try:
                return read(reader)
            except (DatabaseError, OSError):
                newer = self._live.after(reader)
                if newer is None:
                    raise
                reader = newer

    @property
    def reader(self) -> Reader:
        """The live generation."""
        return self._live.get()

    def warm(self) -> Encoder:
        """Loads the model now, rather than at the first query that needs it."""
        return self.encoder_of(self._live.get())

    def encoder_of(self, reader: Reader) -> Encoder:
        """The encoder that made a generation's vectors; raises IndexMismatch if it is not here."""
        manifest = reader.manifest
        with self._encoder_lock:
            if self._encoder is None or self._encoder.fingerprint != manifest.fingerprint:
                name = self._settings.model or name_from_here(manifest.model, self.index)
                encoder = self._load(name, manifest.fit)
                if reader.adapter is not None:
                    encoder = AdaptedEncoder(encoder, reader.adapter)
                if encoder.fingerprint != manifest.fingerprint:
                    made_by = name_from_here(manifest.model, self.index)
                    raise IndexMismatch(
                        f"the index was made by {made_by} ({manifest.fingerprint}), the "
                        f"model here is {encoder.name} ({encoder.fingerprint}); run "
                        f"`retrieval index SOURCE --model {encoder.name}` to make it anew"
                    )
                self._encoder = encoder
            return self._encoder

    @property
    def backend(self) -> str | None:
        """What runs the model; None until it is loaded."""
        return None if self._encoder is None else self._encoder.backend

    @property
    def counts(self) -> Counts:
        """How many texts were remembered, and how many queries were joined."""
        return Counts() if self._loaded is None else self._loaded[2].counts

    def _load(self, name: str, fit: str) -> Encoder:
        """Loads a model, or gives the one that was loaded last for the same name and fit."""
        if self._loaded is None or self._loaded[:2] != (name, fit):
            settings = self._settings.model_copy(update={"fit": fit})
            self._loaded = (name, fit, JoiningEncoder(load_encoder(name, settings)))
        return self._loaded[2]

    def read_image(self, image: ImageInput, encoder: Encoder) -> ModelInput:
        """The encoder's input for a photo of a query; raises ImageError."""
        if isinstance(image, str | Path):
            try:
                data = read_photo_bytes(Path(image), self._settings.max_image_bytes)
                return self._decoded(data, encoder)
            except ImageError as error:
                raise ImageError(f"photo {image}: {error}") from None
        if isinstance(image, bytes):
            return self._decoded(image, encoder)
        return encoder.prepare(upright_rgb(image))

    def _decoded(self, data: bytes, encoder: Encoder) -> ModelInput:
        limit = self._settings.max_image_pixels
        return encoder.prepare(decode_photo(data, limit, encoder.image_size).pixels)
