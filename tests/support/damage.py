"""An index looked at from below: its live generation, its catalog, what verify says."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from retrieval.common.progress import Quiet
from retrieval.indexing.maintenance import verify
from retrieval.settings import Settings
from retrieval.storage.folder.generation_folders import Generations


def problems(settings: Settings, **options: Any) -> list[str]:
    return [problem.text for problem in verify(settings, Quiet(), **options).problems]


def generation(settings: Settings) -> Path:
    generations = Generations(settings.index)
    number = generations.current()
    assert number is not None
    return generations.folder(number)


def query(settings: Settings, statement: str, *values: Any) -> None:
    connection = sqlite3.connect(settings.index / "catalog.db")
    connection.execute(statement, values)
    connection.commit()
    connection.close()
