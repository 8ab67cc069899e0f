"""What tests of indexing share: an encoder that is watched, and a run over a shop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from retrieval.common.progress import Quiet
from retrieval.encoders import Encoder
from retrieval.indexing.indexer import Indexer
from retrieval.settings import Settings
from retrieval.sources import open_source
from tests.support.shop import Shop


class Watched:
    """An encoder that counts what it is asked for, and can be made to fail or to wait."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.images = 0
        self.texts = 0
        self.before: Callable[[], None] = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode_images(self, inputs: Any) -> Any:
        self.before()
        self.images += len(inputs)
        return self._encoder.encode_images(inputs)

    def encode_texts(self, texts: Any) -> Any:
        self.texts += len(texts)
        return self._encoder.encode_texts(texts)


def run(shop: Shop, settings: Settings, encoder: Any, **options: Any) -> Any:
    source = open_source(shop.write(), settings)
    return Indexer(settings, Quiet()).run(source, encoder, **options)
