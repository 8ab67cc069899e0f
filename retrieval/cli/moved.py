"""A line where an index does not find its photos: moved without them it answers, but shows none."""

from __future__ import annotations

import contextlib

from retrieval.cli.common import note
from retrieval.errors import RetrievalError
from retrieval.searching.searcher import Searcher
from retrieval.settings import Settings


def tell_of_photos(searcher: Searcher) -> None:
    """Says how many photos of a sample are missing, if any are, and what to do."""
    there, looked_for = searcher.photos_there()
    if there < looked_for:
        note(
            f"{there} of {looked_for} photos that were looked for are where the index says; if "
            "they or the index were moved, run `retrieval index --photos-at FOLDER`"
        )


def tell_of_photos_in(settings: Settings) -> None:
    """As `tell_of_photos`; of an index that cannot be opened others tell."""
    with contextlib.suppress(RetrievalError):
        tell_of_photos(Searcher(settings.index, settings))
