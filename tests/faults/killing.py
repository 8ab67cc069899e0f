"""Processes that index, and are killed: run by a fork server that has torch imported already."""

from __future__ import annotations

import multiprocessing
import os
import pkgutil
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol
from unittest import mock

from retrieval.common.progress import Quiet
from retrieval.encoders import load_encoder
from retrieval.indexing.indexer import Indexer
from retrieval.settings import Settings, load_settings
from retrieval.sources import open_source


class Ready(Protocol):
    """Told once the model is loaded; an event of another process, or a clock."""

    def set(self) -> None: ...


# What a publication does to the disk, in the order it happens: each is a moment to die at.
STEPS = (
    "retrieval.storage.folder.publishing.checkpoint",
    "retrieval.storage.folder.publishing.write_snapshot",
    "retrieval.storage.folder.publishing._write_rows",
    "retrieval.storage.folder.publishing.AnnIndex.save",
    "retrieval.storage.folder.publishing.calibrate",
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
    # Modules of the installed package: the server does not share this process's import path.
    made.set_forkserver_preload(["retrieval.encoders.openclip", "retrieval.indexing.indexer"])
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
