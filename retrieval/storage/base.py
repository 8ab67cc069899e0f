"""What a search, an indexer and a publisher need of storage. Each engine implements all of it.

Rows (a photo, a text) and products are told by primary keys, which are never given twice; nobody
above storage counts positions. Texts sort by code point, ids of products included. Vectors are
float32 and have length 1, cosines are in [-1, 1]; scores are float64, rounded to DECIMALS, so that
those which differ in the last bits only are equal.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from retrieval.common.adapter import Adapter
from retrieval.common.products import ProductRecord
from retrieval.common.progress import Progress
from retrieval.common.vectors import Vectors
from retrieval.storage.entities import (
    Calibration,
    Card,
    CatalogMap,
    EncoderInfo,
    Flags,
    GenerationState,
    Ids,
    Manifest,
    Matches,
    Modality,
    Problem,
    ProductChange,
    Rows,
    Scores,
    StoredProduct,
    Values,
)
from retrieval.storage.filters import Filter

DECIMALS = 6


class Condition:
    """What may be found. Only the engine that made it looks inside: a mask, SQL, a list."""


class Generation(ABC):
    """One published state, whole and unchanging; safe to share between threads.

    Any method raises GenerationGone where it was dropped meanwhile (`Storage.newer` has the next),
    IndexDamaged where what is stored cannot be read. `condition` None is everything.
    """

    @property
    @abstractmethod
    def manifest(self) -> Manifest:
        """Number, fingerprint, model, fit, counts, calibration, index and recall a modality."""

    def check(self, *, thorough: bool = False) -> None:  # noqa: B027 - an engine may know of none
        """Raises IndexDamaged where damage was found since it opened; `thorough` reads all now."""

    @abstractmethod
    def adapter(self) -> Adapter | None:
        """What its vectors went through, and queries must."""

    @abstractmethod
    def catalog_map(self) -> CatalogMap | None:
        """Where its products lie in two dimensions; None where it has no map."""

    @abstractmethod
    def extra(self, name: str) -> bytes | None:
        """What else was measured when it was made; see `Draft.publish`."""

    @abstractmethod
    def condition(self, where: Sequence[Filter], without: Ids | None = None) -> Condition | None:
        """What meets all filters and is none of the products `without`; None is everything.

        Several values of one field are alternatives; several fields must all hold. What is equal
        is said by `storage.filters`: a value that is written as it is asked for (`text_of`), else,
        of attributes and prices, the same plain number (`equal_number`).
        """

    @abstractmethod
    def count(
        self,
        condition: Condition | None = None,
        *,
        with_any_of: Sequence[Modality] = (),
        or_among: Ids | None = None,
    ) -> int:
        """How many products meet it, and have a row of one of the modalities or are `or_among`.

        With neither given, how many meet it. Counting may stop where no page lies beyond.
        """

    @abstractmethod
    def allows(self, condition: Condition | None, products: Ids) -> Flags:
        """(n,) which of these products meet it."""

    @abstractmethod
    def field_names(self) -> list[str]:
        """What can be filtered by: columns that any product has a value in, then attributes."""

    @abstractmethod
    def product_ids(self, keys: Sequence[str]) -> Ids:
        """(n,) primary keys of the products with these ids, to the letter, else as they are
        `visible` if only one is; -1 where there is none."""

    @abstractmethod
    def typed_id(self, text: str) -> int | None:
        """The product whose id was typed: to the letter, else in any case if only one is."""

    @abstractmethod
    def cards(self, products: Sequence[int]) -> dict[int, Card]:
        """All that is shown of these products; those that do not exist are left out."""

    @abstractmethod
    def scan(self) -> Iterator[Card]:
        """Every product by ascending primary key, in bounded memory."""

    @abstractmethod
    def sample_products(
        self, count: int, *, with_all_of: Sequence[Modality] = (), without: Ids | None = None
    ) -> Ids:
        """Up to `count` products, ascending, spread evenly over the primary keys of those that
        have rows of all these modalities and are not among `without`; the same at each call."""

    @abstractmethod
    def nearest(
        self,
        modality: Modality,
        query: Vectors,
        count: int,
        condition: Condition | None = None,
        *,
        exact: bool = False,
    ) -> Matches:
        """At least the `count` best rows for a query (d,) and all that tie with the last; fewer if
        there are none. `exact` holds it against every row, for judging the index.

        Scores are exact whatever index proposed the rows. A longer list begins with a shorter one,
        at every depth that a query may ask for: how (one first fetch for all pages, exact beyond
        it) is the engine's affair.
        """

    @abstractmethod
    def scores(self, modality: Modality, queries: Vectors, rows: Ids) -> Scores:
        """(q, n) cosines of queries (q, d) with these rows; NaN for a row that is not there.
        Equal rows score equally, wherever they stand and whatever stands beside them."""

    @abstractmethod
    def rows_of(self, modality: Modality, products: Ids) -> Rows:
        """All rows of these products, by ascending product, then as a card lists them."""

    @abstractmethod
    def sample_vectors(self, modality: Modality, count: int) -> Vectors:
        """(m, d), m at most `count`, spread evenly over the rows by primary key; cheap to repeat:
        each query's spread is measured on it."""

    @abstractmethod
    def lexical(
        self,
        words: Sequence[str],
        *,
        every: bool,
        without: Sequence[str] = (),
        condition: Condition | None = None,
        limit: int | None = None,
    ) -> Matches:
        """Products that hold every word, or any, by BM25 over the fields' weights.

        BM25 of FTS5 (k1 1.2, b 0.75), tokens of `porter unicode61 remove_diacritics 2` of texts
        that are `folded`. A word is a phrase, its tokens in a row: nothing in it is an operator.
        Words without a token find nothing.

        Args:
            without: phrases that no product found may hold.
            limit: the best so many; None: all.
        """

    @abstractmethod
    def document_frequency(self, phrases: Sequence[str]) -> dict[str, int]:
        """How many products hold each of these words, or words in a row."""

    @abstractmethod
    def values(self, products: Ids, field: str) -> Values:
        """What these products have in a column or attribute; for counting lists at hand."""

    @abstractmethod
    def value_counts(
        self, field: str, condition: Condition | None = None, limit: int = 100
    ) -> list[tuple[str, int]]:
        """The most frequent values under a condition with how many products have each; equal
        counts by value."""


class Draft(Generation):
    """What `Catalog.draft` wrote, open for measuring; nobody else sees it, its manifest has no
    calibration yet."""

    @abstractmethod
    def map_before(self) -> CatalogMap | None:
        """The live generation's map, where the same model and adapter drew it."""

    @abstractmethod
    def publish(
        self,
        calibration: Mapping[str, Calibration],
        catalog_map: CatalogMap,
        extras: Mapping[str, bytes] | None = None,
    ) -> Manifest:
        """Makes it durable, then live, in one step that cannot be seen half; drops generations
        beyond `settings.keep_generations`. Before that step a kill leaves the old one whole.
        `Generation.extra` gives the `extras` back by their names."""


class Catalog(ABC):
    """The truth: products, photos, texts, and vectors by (content hash, fingerprint).

    Writing methods need `Storage.writing`. Each is one transaction: a kill leaves all of it or
    nothing, and what has returned is there after a crash. `revision` counts what a search could
    tell. Methods raise CatalogError where the truth cannot be read.
    """

    @abstractmethod
    def revision(self) -> int:
        """Counts the changes ever made; a generation records the one that it shows."""

    @abstractmethod
    def counts(self) -> dict[str, int]:
        """`products`, `images`, `texts`."""

    @abstractmethod
    def active_encoder(self) -> EncoderInfo | None:
        """The encoder that generations are made from; None before the first run has ended."""

    @abstractmethod
    def register_encoder(self, encoder: EncoderInfo) -> None:
        """Adds it, or learns where its folder is now."""

    @abstractmethod
    def activate_encoder(self, fingerprint: str) -> None:
        """Makes it the encoder that generations are derived from; the revision counts on."""

    @abstractmethod
    def adapter(self, fingerprint: str) -> Adapter | None:
        """What was adopted for the vectors of this encoder."""

    @abstractmethod
    def set_adapter(
        self, fingerprint: str, adapter: Adapter | None, details: Mapping[str, Any] | None = None
    ) -> None:
        """Adopts it for this encoder, in place of any other; None: vectors are the model's own."""

    @abstractmethod
    def stored(self, keys: Sequence[str], fingerprint: str | None) -> dict[str, StoredProduct]:
        """What is stored of the products with these ids; has_vector is for that encoder."""

    @abstractmethod
    def known_vectors(self, hashes: Iterable[str], fingerprint: str) -> set[str]:
        """Those of the hashes that have a vector of this encoder."""

    @abstractmethod
    def vectors(self, hashes: Iterable[str], fingerprint: str) -> dict[str, Vectors]:
        """Content hash -> (d,) of those that are stored."""

    @abstractmethod
    def write(
        self, changes: Sequence[ProductChange], vectors: Mapping[str, Vectors], fingerprint: str
    ) -> None:
        """A batch: vectors by content hash, and products with their photos and texts. What shows
        or says the same keeps its primary key."""

    @abstractmethod
    def remove(self, keys: Sequence[str], *, remember: bool = False) -> list[str]:
        """Drops the products with these ids; those that there were, in this order."""

    @abstractmethod
    def removals(self) -> dict[str, str]:
        """Id -> row_hash of what was removed to be remembered, and not written since."""

    @abstractmethod
    def remove_except(self, keys: set[str]) -> int:
        """Drops the products with other ids; how many."""

    @abstractmethod
    def count_except(self, keys: set[str]) -> int:
        """How many products `remove_except` would drop."""

    @abstractmethod
    def incomplete(self, fingerprint: str) -> Ids:
        """Products that lack a vector of this encoder, ascending."""

    @abstractmethod
    def records(self, products: Ids) -> Iterator[ProductRecord]:
        """Stored products as records of the same content."""

    @abstractmethod
    def products_with(self, modalities: Sequence[Modality]) -> Ids:
        """Products that have rows of all of them, ascending."""

    @abstractmethod
    def rows(
        self, modality: Modality, fingerprint: str, products: Ids | None = None
    ) -> Iterator[Rows]:
        """Rows by ascending primary key with the vectors as the model made them (no adapter), in
        bounded memory; rows without a vector are left out."""

    @abstractmethod
    def drop_unused_vectors(self) -> int:
        """Drops the vectors that no photo and no text has any more; how many."""

    def clean_up(self) -> int:
        """Removes what killed runs left behind; how many things. Needs `Storage.writing`."""
        return 0

    @abstractmethod
    def verify(self, progress: Progress) -> list[Problem]:
        """What does not fit within the truth, and between it and the live generation."""

    @abstractmethod
    def repair(self, problems: Sequence[Problem]) -> list[str]:
        """Mends what the engine can without the model; one line for each thing done."""

    @abstractmethod
    def draft(
        self, progress: Progress, index_type: str | None = None, *, anew: bool = False
    ) -> AbstractContextManager[Draft]:
        """Writes a generation from the truth as it stands; gone again where the body raises.

        Args:
            index_type: one of INDEX_TYPES or `auto`; None: as the settings, else the live one.
            anew: take nothing over from the live generation.

        Raises:
            IndexMissing: nothing was ever indexed.
            CatalogError: rows lack vectors of the active encoder.
        """


class Storage(ABC):
    """An index by its address: a folder. `open_storage(address, settings)`."""

    address: str
    base: Path  # what relative names of photos and model folders are told from

    @abstractmethod
    def exists(self) -> bool:
        """Whether anything was ever indexed there."""

    @abstractmethod
    def live_manifest(self) -> Manifest:
        """Without opening the generation. Raises IndexMissing, IndexDamaged."""

    @abstractmethod
    def current(self) -> Generation:
        """The live generation, the same object until another is live; asked with each query, so
        next to free. While a new one opens, or cannot be opened, the last good one.
        Raises IndexMissing or IndexDamaged where there never was one."""

    @abstractmethod
    def newer(self, than: Generation) -> Generation | None:
        """The live generation where it is another one, waiting for it to be opened."""

    @abstractmethod
    def photo_path(self, stored: str) -> str:
        """A stored path of a photo -> one that can be opened from here."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[Catalog]:
        """The truth, without the lock; raises IndexMissing."""

    @abstractmethod
    def writing(self, *, create: bool = False) -> AbstractContextManager[Catalog]:
        """The truth while nobody else may write; raises IndexLocked, IndexMissing."""

    def can_write(self) -> bool:
        """Whether `writing` may be asked for here; else the truth can be read alone."""
        return True

    @abstractmethod
    def generations(self) -> list[GenerationState]:
        """Ascending."""

    @abstractmethod
    def switch(self, number: int) -> None:
        """Makes an earlier one live; needs `writing`. Raises NotFound, IndexDamaged."""

    @abstractmethod
    def close(self) -> None:
        """Gives back connections; the generations in use stay readable."""
