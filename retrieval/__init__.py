"""Search a product catalog by words, by photo, or by both.

import retrieval
retrieval.build("catalog.csv", "indexes/default", model="starter")
catalog = retrieval.open("indexes/default")
hits = catalog.search(text="red mug", image="photo.jpg", where={"category": "Kitchen"})
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.errors import RetrievalError

if TYPE_CHECKING:
    from retrieval.indexing.tally import IndexReport
    from retrieval.searching.searcher import Searcher

__version__ = "0.1.0"
__all__ = ["RetrievalError", "build", "open"]


def open(index: str | Path = "indexes/default", **settings: Any) -> Searcher:
    """The index in a folder, for reading; follows new generations as they are published.

    Args:
        settings: fields of `retrieval.settings.Settings`, such as `device="cuda"`.

    Raises:
        IndexMissing: nothing was published there.
        IndexDamaged: what was published is not whole; says how to repair it.
    """
    from retrieval.searching.searcher import Searcher
    from retrieval.settings import load_settings

    return Searcher(Path(index), load_settings(index=Path(index), **settings))


def build(
    source: str | Path,
    index: str | Path = "indexes/default",
    model: str | None = None,
    *,
    map: Mapping[str, str] | None = None,  # noqa: A002 - named as the flag is
    prune: bool = False,
    yes: bool = False,
    **settings: Any,
) -> IndexReport:
    """Brings the index in a folder up to date with a source; only what changed is embedded.

    Args:
        source: CSV, TSV, JSONL or Parquet file, or a folder of images.
        model: `starter`, ARCH/TAG, hf-hub:ORG/REPO or local-dir:PATH; None keeps the index's
            own, and takes `starter` for a new one.
        map: field -> column, where the guess is not right.
        prune: drop the products that the source no longer has.
        yes: publish also where many photos are lost for good.
        settings: fields of `retrieval.settings.Settings`.

    Raises:
        RetrievalError: see `retrieval.indexing.indexer.Indexer.run`.
    """
    from retrieval.common.progress import Quiet
    from retrieval.indexing.building import build_index
    from retrieval.settings import load_settings

    chosen = load_settings(index=Path(index), model=model, **settings)
    return build_index(Path(source), chosen, Quiet(), wanted=map, prune=prune, yes=yes)
