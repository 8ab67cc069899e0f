"""Processes that index, and are killed: run by a fork server that has imported what they use."""

from __future__ import annotations

import multiprocessing
import os
import pkgutil
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing import forkserver
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

from retrieval.common.progress import Quiet
from retrieval.encoders import load_encoder
from retrieval.indexing.indexer import Indexer
from retrieval.settings import Settings, load_settings
from retrieval.sources import open_source

ROOT = Path(__file__).resolve().parents[2]


class Ready(Protocol):
    """Told once the model is loaded; an event of another process, or a clock."""

    def set(self) -> None: ...


class Clock:
    """Notes when the work began, the model being loaded: moments are chosen within the work."""

    began = 0.0

    def set(self) -> None:
        self.began = time.perf_counter()


# What a publication does to the disk, in the order it happens: each is a moment to die at.
STEPS = (
    "retrieval.storage.folder.publishing.checkpoint",
    "retrieval.storage.folder.publishing.write_snapshot",
    "retrieval.storage.folder.publishing._write_rows",
    "retrieval.storage.folder.publishing.AnnIndex.save",
    "retrieval.indexing.publishing.calibrate",
    "retrieval.storage.folder.generation_folders.sha256_of",
    "retrieval.storage.folder.generation_folders._sync",
    "pathlib.Path.write_text",
    "pathlib.Path.mkdir",
    "pathlib.Path.rename",
    "pathlib.Path.replace",
    "shutil.rmtree",
)


def context() -> Any:
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(["tests.faults.forked"])
    # It does not share this process's import path, and passes over what it cannot import.
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with mock.patch.dict(os.environ, PYTHONPATH=path):
        forkserver.ensure_running()
    return made


def settings_for(index: Path, model: str) -> Settings:
    # In bf16 a vector differs in its last bits by what stands beside it in a batch, and a run that
    # goes on after a kill makes other batches: runs are to be compared exactly here.
    return load_settings(index=index, model=model, batch_size=2, decode_workers=2, precision="f32")


def index_source(source: Path, index: Path, model: str, ready: Ready | None = None) -> None:
    """Indexes with --prune; sets `ready` once the model is loaded and the work begins."""
    settings = settings_for(index, model)
    encoder = load_encoder(model, settings)
    if ready is not None:
        ready.set()
    Indexer(settings, Quiet()).run(open_source(source, settings), encoder, prune=True)


def index_and_time(source: Path, index: Path, model: str, seconds: Any) -> None:
    """Indexes, and leaves in `seconds` how long the work took."""
    clock = Clock()
    index_source(source, index, model, clock)
    seconds.value = time.perf_counter() - clock.began


def index_and_die(source: Path, index: Path, model: str, at: int | None, counted: Any) -> None:
    """Indexes, and is killed at the `at`-th of the STEPS taken, just before it is done.

    With `at` None it lives, and leaves the number of steps in `counted`.
    """
    taken = 0

    def dying(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            nonlocal taken
            if taken == at:
                os.kill(os.getpid(), signal.SIGKILL)
            taken += 1
            return real(*args, **kwargs)

        return step

    with ExitStack() as stack:
        for name in STEPS:
            module, _, attribute = name.rpartition(".")
            target = pkgutil.resolve_name(module)
            real = getattr(target, attribute)
            stack.enter_context(mock.patch.object(target, attribute, dying(real)))
        index_source(source, index, model)
    if at is None:
        counted.value = taken
