"""A draft -> what is measured on it -> the live generation; the same for every engine."""

from __future__ import annotations

from retrieval.common.progress import Progress
from retrieval.indexing.calibration import calibrate
from retrieval.indexing.catalog_map import lay_out
from retrieval.storage.base import Catalog
from retrieval.storage.entities import Manifest


def publish(
    catalog: Catalog, progress: Progress, index_type: str | None = None, *, anew: bool = False
) -> Manifest:
    """Makes the catalog as it stands the live generation; no model runs.

    Args:
        anew: build every index from the vectors, also where the live one could be changed.
        index_type: one of `retrieval.settings.INDEX_TYPES`, or `auto`; None: as in the settings,
            else as the live generation was wanted.

    Raises:
        IndexMissing: nothing was ever indexed.
        CatalogError: photos or texts lack vectors of the active encoder.
    """
    with catalog.draft(progress, index_type, anew=anew) as draft:
        with progress.task("drawing the map", total=1) as task:
            catalog_map = lay_out(draft, draft.map_before())
            task.advance()
        return draft.publish(calibrate(draft), catalog_map)
