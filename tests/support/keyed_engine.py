"""An engine that shares nothing with the folder's but its answers: it stands for the next one.

Products are ordered by their ids, as strings, and conditions are lists of primary keys, not masks:
what relies on more than the interface says fails on it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from retrieval.settings import Settings
from retrieval.storage import open_storage
from retrieval.storage.base import Catalog, Condition, Draft, Generation, Storage
from retrieval.storage.entities import Flags, Ids, Matches
from retrieval.storage.filters import Filter


@dataclass(frozen=True)
class Listed(Condition):
    """The primary keys of what may be found, ascending."""

    products: tuple[int, ...]


class _Around:
    """Hands on to another engine's object what it does not answer itself."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@Generation.register
class KeyedGeneration(_Around):
    @cached_property
    def _keys(self) -> dict[int, str]:
        return {card.id: card.key for card in self.inner.scan()}

    def _theirs(self, condition: Condition | None) -> Condition | None:
        """As the other engine says it: all but the products that are not listed."""
        if condition is None:
            return None
        assert isinstance(condition, Listed), "made by another engine"
        others = self._keys.keys() - set(condition.products)
        return self.inner.condition((), without=np.array(sorted(others), dtype=np.int64))

    def _ordered(self, matches: Matches) -> Matches:
        keys = [self._keys[product] for product in matches.products.tolist()]
        return replace(matches, order=np.array(keys, dtype=np.str_))

    def condition(self, where: Sequence[Filter], without: Ids | None = None) -> Listed | None:
        theirs = self.inner.condition(where, without)
        if theirs is None:
            return None
        products = np.array(list(self._keys), dtype=np.int64)
        return Listed(tuple(products[self.inner.allows(theirs, products)].tolist()))

    def count(self, condition: Condition | None = None, **options: Any) -> int:
        return self.inner.count(self._theirs(condition), **options)

    def allows(self, condition: Condition | None, products: Ids) -> Flags:
        listed = list(self._keys) if condition is None else condition.products
        return np.isin(products, listed)

    def nearest(
        self, modality: Any, query: Any, count: int, condition: Any = None, *, exact: bool = False
    ) -> Matches:
        theirs = self._theirs(condition)
        return self._ordered(self.inner.nearest(modality, query, count, theirs, exact=exact))

    def lexical(
        self, words: Sequence[str], *, condition: Condition | None = None, **options: Any
    ) -> Matches:
        theirs = self._theirs(condition)
        return self._ordered(self.inner.lexical(words, condition=theirs, **options))

    def value_counts(
        self, field: str, condition: Condition | None = None, limit: int = 100
    ) -> list[tuple[str, int]]:
        return self.inner.value_counts(field, self._theirs(condition), limit)


@Draft.register
class KeyedDraft(KeyedGeneration):
    """One that is not live yet."""


@Catalog.register
class KeyedCatalog(_Around):
    @contextlib.contextmanager
    def draft(self, *args: Any, **options: Any) -> Iterator[KeyedDraft]:
        with self.inner.draft(*args, **options) as draft:
            yield KeyedDraft(draft)


@Storage.register
class KeyedStorage(_Around):
    def __init__(self, address: Path, settings: Settings) -> None:
        super().__init__(open_storage(address, settings))
        self._lock = threading.Lock()
        self._open_one: KeyedGeneration | None = None

    def current(self) -> KeyedGeneration:
        return self._around(self.inner.current())

    def newer(self, than: KeyedGeneration) -> KeyedGeneration | None:
        inner = self.inner.newer(than.inner)
        return None if inner is None else self._around(inner)

    def _around(self, inner: Generation) -> KeyedGeneration:
        with self._lock:
            if self._open_one is None or self._open_one.inner is not inner:
                self._open_one = KeyedGeneration(inner)
            return self._open_one

    @contextlib.contextmanager
    def reading(self) -> Iterator[KeyedCatalog]:
        with self.inner.reading() as catalog:
            yield KeyedCatalog(catalog)

    @contextlib.contextmanager
    def writing(self, **options: Any) -> Iterator[KeyedCatalog]:
        with self.inner.writing(**options) as catalog:
            yield KeyedCatalog(catalog)
