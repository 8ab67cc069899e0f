"""What all parts of the site share: the index, uploaded photos, thumbnails."""

from __future__ import annotations

import threading

from flask import current_app

from retrieval.searcher import Searcher
from retrieval.settings import Settings
from web.thumbnails import Thumbnails
from web.uploads import Uploads

CACHE = "cache"


class Site:
    """One index, served."""

    def __init__(self, settings: Settings) -> None:
        """Raises IndexMissing or IndexDamaged."""
        self.settings = settings
        self.searcher = Searcher(settings.index, settings)
        cache = settings.index / CACHE
        self.uploads = Uploads(cache / "uploads", settings.upload_bytes, settings.upload_pixels)
        self.thumbnails = Thumbnails(cache / "thumbnails", settings.max_image_pixels)
        self.ready = threading.Event()

    def warm(self) -> None:
        """Loads the model and answers one query, so that the first visitor does not wait."""
        self.searcher.warm()
        self.searcher.search("warm", limit=1)
        self.ready.set()


def site() -> Site:
    """The site of the current application."""
    found: Site = current_app.extensions["site"]
    return found
