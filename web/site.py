"""What all parts of the site share: the index, uploaded photos, thumbnails."""

from __future__ import annotations

import threading
from typing import Any

from flask import current_app
from prometheus_client import CollectorRegistry, Histogram

from retrieval.images.pool import DecodingPool
from retrieval.images.reading import limits_of_the_user, limits_of_visitors
from retrieval.searching.results import SearchResult
from retrieval.searching.searcher import SIMILAR, Searcher
from retrieval.settings import Settings

from .thumbnails import Thumbnails
from .uploads import Uploads

CACHE = "cache"


class Site:
    """One index, served."""

    def __init__(self, settings: Settings) -> None:
        """Raises IndexMissing or IndexDamaged."""
        self.settings = settings
        self.searcher = Searcher(settings.index, settings)
        cache = settings.index / CACHE
        pool = DecodingPool(settings.upload_processes)
        self.uploads = Uploads(
            cache / "uploads",
            settings.upload_bytes,
            limits_of_visitors(settings),
            pool,
            settings.upload_store_bytes,
        )
        self.thumbnails = Thumbnails(
            cache / "thumbnails", settings.max_image_bytes, limits_of_the_user(settings), pool
        )
        self.ready = threading.Event()
        self.registry = CollectorRegistry()
        self.stage_seconds = Histogram(
            "retrieval_stage_seconds",
            "Time that searches spent in each stage.",
            ["stage"],
            registry=self.registry,
            buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
        )

    def search(self, *args: Any, **options: Any) -> SearchResult:
        """`Searcher.search`, its stages counted in the metrics."""
        result = self.searcher.search(*args, **options)
        for stage, took in result.stages_ms.items():
            if took:
                self.stage_seconds.labels(stage).observe(took / 1000)
        return result

    def similar(self, key: str) -> SearchResult:
        """The products shown beside a product."""
        return self.search(like=key, limit=SIMILAR)

    def warm(self) -> None:
        """Loads the model and answers one query, so that the first visitor does not wait."""
        self.searcher.warm()
        self.searcher.search("warm", limit=1)
        self.ready.set()


def site() -> Site:
    """The site of the current application."""
    current: Site = current_app.extensions["site"]
    return current
