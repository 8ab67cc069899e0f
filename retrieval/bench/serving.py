"""The server under load: requests a second, and how long they wait, by the number of clients."""

from __future__ import annotations

import itertools
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from retrieval.bench.measuring import Measurement
from retrieval.errors import ServerError

CLIENTS = (1, 8, 32)
SECONDS = 6.0
WORDS = ("red", "blue", "oak", "glass", "round", "tall", "mug", "chair", "lamp", "vase", "knife")
STARTS_WITHIN = 120.0


def bench_serving(index: Path) -> Iterator[Measurement]:
    """`retrieval serve` of an index, asked by words that it was never asked before, then again."""
    runs: dict[tuple[int, str], tuple[float, list[float]]] = {}
    run_by = {
        "naive torch": {"RETRIEVAL_BACKEND": "torch", "RETRIEVAL_PRECISION": "f32"},
        "retrieval": {"RETRIEVAL_BACKEND": "auto"},
    }
    for method, chosen in run_by.items():
        with served(index, chosen) as address:
            texts = (" ".join(words) for words in itertools.permutations(WORDS, 5))
            for clients in CLIENTS:
                runs[clients, method] = _asked(address, clients, texts)
            if method == "retrieval":
                for clients in CLIENTS:
                    known = itertools.cycle(["red mug", "oak chair", "tall lamp"])
                    runs[clients, "retrieval, known words"] = _asked(address, clients, known)
    for (clients, method), (rate, waits) in runs.items():
        base = runs[clients, "naive torch"][0]
        quantiles = statistics.quantiles(waits, n=100)
        yield Measurement(
            "serve searches by words",
            f"{clients} clients",
            method,
            "requests/s",
            rate,
            rate,
            rate,
            None if method == "naive torch" else rate / base,
            {
                name: round(quantiles[p - 1], 1)
                for name, p in (("p50_ms", 50), ("p95_ms", 95), ("p99_ms", 99))
            },
        )


def _asked(address: str, clients: int, texts: Iterator[str]) -> tuple[float, list[float]]:
    """Requests a second, and what each of them took in ms."""
    waits: list[float] = []
    lock = threading.Lock()
    ends = time.perf_counter() + SECONDS

    def ask() -> None:
        with requests.Session() as session:
            while time.perf_counter() < ends:
                with lock:
                    text = next(texts)
                began = time.perf_counter()
                answer = session.get(f"{address}/api/v1/search", params={"q": text}, timeout=60)
                answer.raise_for_status()
                with lock:
                    waits.append(1000 * (time.perf_counter() - began))

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(waits) / (time.perf_counter() - began), waits


@contextmanager
def served(index: Path, chosen: dict[str, str]) -> Iterator[str]:
    """The address of a server of its own, by these settings; raises ServerError where it does not
    come up."""
    command = [sys.executable, "-m", "retrieval", "serve", "--port", "0", "--index", str(index)]
    environment = {**os.environ, "RETRIEVAL_RATE_LIMIT": "1000000000/minute", **chosen}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    assert process.stderr is not None
    log = process.stderr
    try:
        address = next(
            (m[0] for m in (re.search(r"http://[^/\s]+", line) for line in log) if m), None
        )
        if address is None:
            raise ServerError(f"the server of {index} did not start; try `retrieval serve`")
        threading.Thread(target=lambda: list(log), daemon=True).start()
        _wait_until_ready(address)
        yield address
    finally:
        process.terminate()
        process.wait(30)
        log.close()


def _wait_until_ready(address: str) -> None:
    ends = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < ends:
        if requests.get(f"{address}/healthz", timeout=60).ok:
            return
        time.sleep(0.2)
    raise ServerError(f"{address} was not ready within {STARTS_WITHIN:.0f} s")
