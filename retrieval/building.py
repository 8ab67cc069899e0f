"""From a source and settings to an index: which model, which columns, then the indexer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from retrieval.encoders import STARTER, load_encoder
from retrieval.errors import IndexDamaged, IndexMissing
from retrieval.generations import Generations, live_manifest
from retrieval.indexer import Indexer, IndexReport
from retrieval.progress import Progress
from retrieval.settings import Settings
from retrieval.sources import Source, open_source


def model_of(settings: Settings) -> str:
    """The model that was asked for, else the index's own, else the bundled one."""
    if settings.model:
        return settings.model
    try:
        return live_manifest(Generations(settings.index)).model
    except (IndexMissing, IndexDamaged):
        return STARTER


def build_index(
    path: Path,
    settings: Settings,
    progress: Progress,
    *,
    wanted: Mapping[str, str] | None = None,
    prune: bool = False,
) -> IndexReport:
    """Indexes the source at `path` into `settings.index`."""
    source = open_source(path, settings, wanted)
    return index_source(source, settings, progress, prune=prune)


def index_source(
    source: Source, settings: Settings, progress: Progress, *, prune: bool = False
) -> IndexReport:
    """Loads the model and indexes an opened source."""
    name = model_of(settings)
    with progress.task(f"loading {name}"):
        encoder = load_encoder(name, settings)
    return Indexer(settings.index, settings, progress).run(source, encoder, prune=prune)
