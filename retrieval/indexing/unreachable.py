"""Photos that cannot be read today: what is known of them, and what must not count as gone."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from retrieval.common.products import ProductRecord, Reject
from retrieval.errors import SourceError
from retrieval.images.spelling import folded
from retrieval.sources import OutOfSight, Source
from retrieval.storage.base import Catalog
from retrieval.storage.entities import StoredImage

LOOKED_UP_AT_ONCE = 500
MOST_LOST = 0.5  # of the photos of an index, that a run may lose without being asked to


def as_before(
    places: Collection[str], written: str, stored: Iterable[StoredImage]
) -> StoredImage | None:
    """The stored photo that a path means which cannot be read today, if there is one.

    Args:
        places: where it may be, from the index.
        written: as the source writes it: of a file that is away nobody can tell the spelling,
            so it is held against stored paths as moving between systems may change it.
    """
    known = list(stored)
    exact = next((image for image in known if image.path in places), None)
    if exact is not None:
        return exact
    tail = _steps(written)
    fitting = [image for image in known if tail and _steps(image.path)[-len(tail) :] == tail]
    return min(fitting, key=lambda image: len(image.path), default=None)


def _steps(path: str) -> list[str]:
    plain = folded(urllib.parse.unquote(path.replace("\\", "/"))).removeprefix("file:")
    return [step for step in plain.split("/") if step not in ("", ".", "..", "localhost")]


def out_of_reach(path: Path) -> bool:
    """Whether a file is missing or may not be read, rather than being no photo."""
    try:
        path.stat()
    except (OSError, ValueError):
        return True
    return not os.access(path, os.R_OK)


def gone_for_good(path: Path) -> bool:
    """Whether the folder of a photo is there, has other files, and has not this one."""
    try:
        with os.scandir(path.parent) as entries:
            return any(True for _ in entries) and not os.path.lexists(path)
    except (OSError, ValueError):
        return False


@dataclass
class Hidden:
    """What lies behind folders that a source could not look into.

    Attributes:
        keys: ids of stored products there.
        photos: how many photos they have, where these cannot be read today.
        rejects: a line for each such folder.
    """

    keys: set[str] = field(default_factory=set)
    photos: int = 0
    rejects: list[Reject] = field(default_factory=list)


def hidden_by(source: Source, catalog: Catalog | None, seen: set[str]) -> Hidden:
    """The stored products that a source could not tell of, `seen` being those that it could."""
    hidden = Hidden()
    folders = source.out_of_sight
    behind: dict[OutOfSight, int] = dict.fromkeys(folders, 0)
    for key, photos in _products(catalog) if folders and catalog else ():
        folder = next((one for one in folders if one.holds(key, photos)), None)
        if folder is None or key in seen:
            continue
        behind[folder] += 1
        hidden.keys.add(key)
        hidden.photos += len(photos) if folder.reason else 0
    for folder, count in behind.items():
        if folder.reason and (count or folder.certain):
            told = f"; {count} products behind it are kept as they were" if count else ""
            reject = Reject(None, None, "folder", folder.name, folder.reason + told)
            hidden.rejects.append(reject)
    return hidden


def _products(catalog: Catalog) -> Iterable[tuple[str, list[Path]]]:
    """Ids of all stored products, each with where its photos are."""
    ids = catalog.products_with(())
    for start in range(0, len(ids), LOOKED_UP_AT_ONCE):
        for record in catalog.records(ids[start : start + LOOKED_UP_AT_ONCE]):
            yield (
                record.key,
                [Path(os.path.normpath(record.base / written)) for written in record.images],
            )


def check_lost_photos(
    blind: Sequence[tuple[ProductRecord, Sequence[StoredImage]]],
    stored: int,
    model: str,
    *,
    yes: bool,
) -> None:
    """Holds back a run by a new model that could not see photos which the index has.

    Args:
        blind: products with those of their photos that cannot be read and that the model never saw.
        stored: photos of the index.

    Raises:
        SourceError: some of them may be back tomorrow, or there are many and nobody said yes.
    """
    paths = [record.base / image.path for record, images in blind for image in images]
    away = [path for path in paths if not gone_for_good(path)]
    if away:
        raise SourceError(
            f"{len(away)} photos cannot be read today (the first is {away[0]}), and {model} never "
            "saw them; the index stays as it was: mount their disk and run this again, or drop "
            "their products from the source and add --prune"
        )
    if len(paths) > stored * MOST_LOST and not yes:
        raise SourceError(
            f"{len(paths)} of {stored} photos are gone (the first is {paths[0]}), and {model} "
            "never saw them; the index stays as it was: bring them back, or add --yes to go on "
            "without them"
        )


def check_photos_are_named(source: Source, catalog: Catalog) -> None:
    """Holds back a table that names no photo, for products whose photos the index has.

    One forgotten --map would cost the index all of them.

    Raises:
        SourceError: so it is; nothing was changed yet.
    """
    if not catalog.counts()["images"]:
        return
    lost = 0
    records = (item for item in source if isinstance(item, ProductRecord))
    while chunk := list(islice(records, LOOKED_UP_AT_ONCE)):
        if any(one.images or any(r.field == "image" for r in one.rejects) for one in chunk):
            return
        stored = catalog.stored([record.key for record in chunk], None)
        lost += sum(len(product.images) for product in stored.values())
    if lost:
        raise SourceError(
            f"{source.path} names no photo, and the index has {lost} photos of its products; "
            "nothing was changed: say which column holds them by --map image=COLUMN, or add "
            "--yes to go on without them"
        )
