"""How time and memory grow with a catalog: rebuilt, opened, changed, and searched."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from retrieval.bench.catalogs import write_catalog
from retrieval.bench.measuring import Measurement, once, seconds
from retrieval.common.progress import Progress
from retrieval.encoders import Encoder
from retrieval.indexing.maintenance import rebuild
from retrieval.indexing.publishing import publish
from retrieval.settings import Settings
from retrieval.storage import open_storage

CHANGED = 100
# A process of its own, so that its memory is that of what it does.
_OPENED = """
import json, resource, statistics, sys, time
import retrieval, retrieval.searching.searcher
from retrieval.settings import load_settings
from retrieval.storage import open_storage
open_storage(sys.argv[1], load_settings())  # imports what it is stored by, and opens nothing
imported = time.perf_counter()
catalog = retrieval.open(sys.argv[1])
opened = time.perf_counter()
catalog.search(like="P-0000007", limit=20)
first = time.perf_counter()
catalog.warm()

def peak():
    try:  # of this program; the other one counts that which started it, too
        with open("/proc/self/status") as lines:
            return next(int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM"))
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000

def each(asked):
    took = []
    for one in asked:
        began = time.perf_counter()
        catalog.search(limit=20, **one)
        took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took)

texts = [f"{size} {colour} {kind}" for size in ("tall", "round")
         for colour in ("red", "oak", "blue") for kind in ("chair", "lamp", "mug")]
found = {
    "open": opened - imported,
    "first search": first - opened,
    "by words": each([{"text": text} for text in texts]),
    "by likeness": each([{"like": f"P-{number:07d}"} for number in range(1, 19)]),
    "filtered": each([{"text": text, "where": {"category": "chair"}} for text in texts]),
    "peak": peak(),
}
print(json.dumps(found))
"""


def bench_growth(
    sizes: list[int], encoder: Encoder, settings: Settings, progress: Progress
) -> Iterator[Measurement]:
    """Catalogs of these sizes, with a photo and a title each, made up and published."""
    for products in sizes:
        folder = Path(tempfile.mkdtemp(prefix="retrieval-bench-"))
        try:
            yield from _one_size(products, encoder, settings, folder, progress)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _one_size(
    products: int, encoder: Encoder, settings: Settings, folder: Path, progress: Progress
) -> Iterator[Measurement]:
    case = f"{products:,} products"
    here = settings.model_copy(update={"index": folder, "keep_generations": 2, "model": None})
    write_catalog(here, products, encoder)
    report = rebuild(here, progress)
    yield once(
        "rebuild from stored vectors",
        case,
        "retrieval",
        "s",
        report.seconds,
        recall=report.recall,
        index_type=report.index_type,
    )
    yield once("publish after a change", case, "retrieval", "s", _change(here, progress))
    measured = _opened(folder)
    yield once("open an index", case, "retrieval", "s", measured["open"])
    yield once("first search after opening", case, "retrieval", "s", measured["first search"])
    for kind in ("by words", "by likeness", "filtered"):
        yield once(f"whole search, {kind}", case, "retrieval", "ms", measured[kind])
    yield once("memory of a searching process", case, "retrieval", "MB", measured["peak"])
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    yield once("disk, two generations", case, "retrieval", "MB", size)


def _change(settings: Settings, progress: Progress) -> float:
    """Takes some products out, and publishes."""
    with open_storage(settings.index, settings).writing() as catalog:
        catalog.remove([f"P-{number:07d}" for number in range(100, 100 + CHANGED)])
        return seconds(lambda: publish(catalog, progress))


def _opened(index: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", _OPENED, str(index)]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    measured: dict[str, Any] = json.loads(made.stdout.splitlines()[-1])
    return measured
