"""One writer at a time on an index; the second one is told who the first is."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import filelock

from retrieval.errors import IndexLocked

LOCK = ".lock"
HOLDER = ".lock.json"


@contextlib.contextmanager
def writing(index: Path, timeout: float = 0.0) -> Iterator[None]:
    """Holds the writer's lock of an index; the system frees it when the process ends.

    Args:
        timeout: seconds to wait for another writer.

    Raises:
        IndexLocked: another process writes; names it.
    """
    index.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(index / LOCK, timeout=timeout)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise IndexLocked(
            f"{index} is being written by {_read_holder(index)}; wait for it, or stop it"
        ) from None
    try:
        with contextlib.suppress(OSError):  # of a full disk: it is a courtesy to others
            _write_holder(index)
        yield
    finally:
        with contextlib.suppress(OSError):
            (index / HOLDER).unlink()
        lock.release()


def _write_holder(index: Path) -> None:
    holder = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200],
        "since": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    (index / HOLDER).write_text(json.dumps(holder), "utf-8")


def _read_holder(index: Path) -> str:
    try:
        holder = json.loads((index / HOLDER).read_text("utf-8"))
        return (
            f"process {holder['pid']} on {holder['host']} ({holder['command']}) "
            f"since {holder['since']}"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
