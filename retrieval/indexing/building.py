"""From a source and settings to an index: which model, which columns, then the indexer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from retrieval.common.progress import Progress
from retrieval.encoders import STARTER, load_encoder, loading_message, name_from_here, portable_name
from retrieval.indexing.indexer import Indexer
from retrieval.indexing.rejects import REJECTS_FILE, kept_rejects
from retrieval.indexing.tally import IndexReport
from retrieval.settings import Settings
from retrieval.sources import Source, open_source
from retrieval.storage import open_storage


def settings_of_index(settings: Settings) -> Settings:
    """Settings with the model and fit that the index was made with, where none are given.

    They are read from the catalog, not from a generation: one that is damaged must not make
    the next run take the bundled model instead. A new index takes the bundled one.
    """
    active = None
    storage = open_storage(settings.index, settings)
    if storage.exists():
        with storage.reading() as catalog:
            active = catalog.active_encoder()
    if active is None:
        return settings.model_copy(update={"model": settings.model or STARTER})
    model = settings.model or name_from_here(active.name, settings.index)
    fit = settings.fit
    if fit is None and portable_name(model, settings.index) == active.name:
        fit = active.fit
    return settings.model_copy(update={"model": model, "fit": fit})


def build_index(
    path: Path,
    settings: Settings,
    progress: Progress,
    *,
    wanted: Mapping[str, str] | None = None,
    prune: bool = False,
    yes: bool = False,
) -> IndexReport:
    """Indexes the source at `path` into `settings.index`; what was left out stands there, too."""
    source = open_source(path, settings, wanted)
    return index_source(source, settings, progress, prune=prune, yes=yes)


def index_source(
    source: Source,
    settings: Settings,
    progress: Progress,
    *,
    prune: bool = False,
    yes: bool = False,
    rejects_file: Path | None = None,
) -> IndexReport:
    """Loads the model and indexes an opened source.

    Args:
        rejects_file: where what was left out is listed, however the run ends; None: in the index.
    """
    file = rejects_file or settings.index / REJECTS_FILE
    with kept_rejects(file, settings.index) as rejects:
        settings = settings_of_index(settings)
        name = settings.model or STARTER
        with progress.task(loading_message(name, settings)):
            encoder = load_encoder(name, settings, bulk=True)
        indexer = Indexer(settings, progress, rejects)
        return indexer.run(source, encoder, prune=prune, yes=yes)


def preview_source(
    source: Source,
    settings: Settings,
    progress: Progress,
    *,
    prune: bool = False,
    rejects_file: Path | None = None,
) -> IndexReport:
    """What indexing an opened source would do; writes nothing but `rejects_file`, if any."""
    with kept_rejects(rejects_file, settings.index) as rejects:
        return Indexer(settings, progress, rejects).preview(source, prune=prune)
