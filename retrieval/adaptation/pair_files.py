"""Pairs of a file to learn from, embedded by the model of the index."""

from __future__ import annotations

from pathlib import Path

from retrieval.adaptation.pairs import Pairs, evaluation_pairs
from retrieval.common.products import Reject
from retrieval.common.progress import Progress
from retrieval.encoders import STARTER, load_encoder, loading_message
from retrieval.evaluation.embedding import embed
from retrieval.evaluation.sets import read_pairs
from retrieval.indexing.building import settings_of_index
from retrieval.settings import Settings


def read_training_pairs(
    path: Path, settings: Settings, progress: Progress
) -> tuple[Pairs, list[Reject]]:
    """Reads and embeds pairs by the index's own model, without the adapter that it may have.

    Returns:
        the pairs, and what of the file could not be used.

    Raises:
        SourceError: the file, or every photo in it, cannot be read.
        EncoderError: the model of the index cannot be loaded.
    """
    evaluation_set = read_pairs(path)
    # Whatever model the settings name: an adapter fits the one that the index was made by.
    settings = settings_of_index(settings.model_copy(update={"model": None, "fit": None}))
    name = settings.model or STARTER
    with progress.task(loading_message(name, settings)):
        encoder = load_encoder(name, settings, bulk=True)
    embedded = embed(evaluation_set, encoder, settings, progress)
    pairs = evaluation_pairs(
        embedded.evaluation_set, embedded.photos, embedded.texts, encoder.fingerprint
    )
    return pairs, [*evaluation_set.rejects, *embedded.rejects]
