"""What is made once a run and shared by its workers: models, and indexes that tests copy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def is_worker() -> bool:
    """Whether pytest-xdist runs this process for another."""
    return "PYTEST_XDIST_WORKER" in os.environ


def folder_of_the_run(factory: pytest.TempPathFactory) -> Path:
    """The folder above those of all workers; without workers, the only one."""
    base = factory.getbasetemp()
    return base.parent if is_worker() else base


def template(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder made once, as deep as the `tmp_path` of a test.

    An index stores the way to its photos and its model, from itself: a copy in a `tmp_path` finds
    them only as deep as the template stood.
    """
    run = folder_of_the_run(factory)
    return _once((run / "templates" if is_worker() else run) / name, make)


def model_of_the_run(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]
) -> Path:
    """A model's folder, made once; beside the templates, so that all copies find it alike."""
    return _once(folder_of_the_run(factory) / "models" / name, make)


def _once(folder: Path, make: Callable[[Path], object]) -> Path:
    folder.parent.mkdir(exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        done = folder.with_name(f".{folder.name}.done")
        if not done.exists():
            # In place, as an index knows where it is; what another worker failed to make goes.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder
