"""A program that opens a catalog and then forks, as pools and preloading servers do.

`python -m tests.faults.forking INDEX TABLE`: prints a line for each child, in the order of MOMENTS.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import retrieval
from retrieval.settings import load_settings
from web import create_app

opened: dict[str, Any] = {}
KEYS = ["P-001", "P-002", "P-003"]
SEARCHES: list[dict[str, Any]] = [
    {"text": "red mug", "limit": 5},
    {"like": "P-001", "limit": 5},
    {"text": "mug", "mode": "lexical", "limit": 5},
    {"text": "blue box", "where": {"brand": "Acme"}, "limit": 5},
]


def answers(catalog: Any) -> list[list[str]]:
    return [[hit.id for hit in catalog.search(**search)] for search in SEARCHES]


def similar(key: str) -> list[str]:
    """By the catalog that this process has, or came by when it was forked."""
    return [hit.id for hit in opened["catalog"].similar(key)]


def in_child(work: Callable[[], Any]) -> str:
    """What `work` says in a forked process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = str(work())
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        said = file.read()
    os.waitpid(child, 0)
    return said


def main(index: Path, table: Path) -> None:
    catalog = opened["catalog"] = retrieval.open(index)
    right = answers(catalog)

    def as_before() -> str:
        return "as before" if answers(catalog) == right else "other answers"

    # Idle, and amid the searches of other threads, which hold what locks there are.
    print("idle:", in_child(as_before), flush=True)
    stop = threading.Event()

    def search() -> None:
        while not stop.is_set():
            answers(catalog)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(3):
        print(f"amid searches {number}:", in_child(as_before), flush=True)
    stop.set()
    for thread in threads:
        thread.join()

    # Amid an indexing run of this process.
    run = threading.Thread(target=lambda: retrieval.build(table, index.parent / "another"))
    run.start()
    print("amid indexing:", in_child(as_before), flush=True)
    run.join()

    # A server that is loaded before its workers start.
    client = create_app(load_settings(index=index)).test_client()
    assert client.get("/api/v1/search?q=mug").status_code == 200
    print("served:", in_child(lambda: client.get("/api/v1/search?q=mug").status_code), flush=True)

    # A child's child, and a pool.
    print("grandchild:", in_child(lambda: [as_before(), in_child(as_before)]), flush=True)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        like = pool.map(similar, KEYS)
    same = like == [similar(key) for key in KEYS]
    print("pool:", "as before" if same else "other answers", flush=True)
    print("parent:", as_before(), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
