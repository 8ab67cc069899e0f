"""The engines that are held against the interface below the search; a new one is added here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from retrieval.settings import Settings, load_settings
from retrieval.storage import open_storage
from retrieval.storage.base import Storage
from tests.support.keyed_engine import KeyedStorage


@dataclass(frozen=True)
class Engine:
    """How tests come by an engine.

    Attributes:
        make: the storage of an address; nothing need be there.
        damage: makes a published generation unreadable.
    """

    name: str
    make: Callable[[Path, Settings], Any]
    damage: Callable[[Storage, int], None]

    def at(self, folder: Path, **settings: Any) -> Any:
        return self.make(folder, load_settings(index=folder, **settings))


def damage_folder(storage: Storage, number: int) -> None:
    (storage.base / "generations" / str(number) / "snapshot.db").write_bytes(b"no database")


ENGINES = {
    engine.name: engine
    for engine in (
        Engine("folder", open_storage, damage_folder),
        Engine("keyed", KeyedStorage, damage_folder),
    )
}


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    return ENGINES[request.param]


@pytest.fixture
def make_storage(engine: Engine, tmp_path: Path) -> Callable[..., Any]:
    """The storage of an address of its own, a new object at each call; settings as they are named.

    With the same `name` it is the same index, as another process would open it.
    """
    return lambda name="index", **settings: engine.at(tmp_path / name, **settings)
