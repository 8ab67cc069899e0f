"""One byte of a stored file flipped: is every answer right, refused with advice, or wrong?"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import random
import re
import shutil
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import retrieval
from retrieval.common.progress import Quiet
from retrieval.errors import RetrievalError
from retrieval.indexing.maintenance import rebuild, verify
from retrieval.searching.searcher import Searcher
from retrieval.settings import load_settings
from retrieval.storage.folder.database import CATALOG_FILE
from tests.faults.campaign.rows import Row
from tests.faults.campaign.world import World
from tests.faults.killing import context
from tests.support.damage import generation
from tests.support.kept_models import keep_models

PART = "flips"
RIGHT, REFUSED, SILENT, RAW = "right", "refused", "silently wrong", "raw errors"
HANGS_AFTER_S = 120.0
# Every kind of search, of vectors and of rows, of photos and of texts.
SEARCHES: dict[str, dict[str, Any]] = {
    "words": {"text": "red mug", "limit": 50},
    "exact words": {"text": "deluxe", "mode": "lexical", "limit": 50},
    "texts by vector": {"text": "a blue box", "mode": "vector", "scope": "texts", "limit": 50},
    "like another": {"like": "P-08", "limit": 50},
    "filtered": {"like": "P-09", "where": {"price": {"<": 20}}, "facets": True},
    "photos of a category": {"like": "P-10", "where": {"category": "mugs"}, "scope": "images"},
}
PRODUCTS = ("P-07", "N-3")
ADVICE = re.compile(r"`retrieval |run \w|give \w|restore|backup|ask again")
DAMAGE = re.compile(r"damage|corrupt|checksum|verify|not as it was written", re.IGNORECASE)


def run(world: World, size: int) -> list[Row]:
    """Flips `size` bytes of each file of a live generation and of the catalog, and of a graph."""
    plain = world.before.new_index
    graph = Path(shutil.copytree(plain, world.folder / "graph"))
    # Flat indexes of few vectors are not what answers: a graph is, and reads what it points at.
    rebuild(load_settings(index=graph), Quiet(), "hnsw")
    files = [(plain, path) for path in files_of(plain)] + [(plain, Path(CATALOG_FILE))]
    files += [(graph, path) for path in files_of(graph) if path.suffix == ".faiss"]
    dice = random.Random(world.seed)
    rows = []
    with world.told("flips", size * len(files)) as task, Worker() as worker:
        right = {index: unharmed(world, index, worker) for index in (plain, graph)}
        for start, file in files:
            outcomes = []
            for number in range(size):
                # A new name each time: nothing that a process remembers of a file fits it.
                with world.copied(start, f"flip-{start.name}-{file.name}-{number}") as index:
                    place = flip(index / file, dice)
                    where = f"byte {place} of {file.name}"
                    outcomes.append(outcome(worker, index, right[start], where))
                task.advance()
            rows.append(summary(file, outcomes, "hnsw" if start == graph else ""))
    return rows


def files_of(index: Path) -> list[Path]:
    """The files of the live generation, from the index."""
    folder = generation(load_settings(index=index))
    return sorted(path.relative_to(index) for path in folder.iterdir())


def unharmed(world: World, index: Path, worker: Worker) -> dict[str, Any]:
    """What is right; raises RuntimeError where two questions differ, or verify is not content."""
    answers = []
    for number in range(2):
        with world.copied(index, f"whole-{index.name}-{number}") as copy:
            answers.append(worker.ask(copy, republish=bool(number)))
    first, second = ({name: value[1] for name, value in some.items()} for some in answers)
    if first != second or any(value[0] != RIGHT for some in answers for value in some.values()):
        raise RuntimeError("an index that nobody harmed does not answer twice alike")
    return first


def flip(path: Path, dice: random.Random) -> int:
    """Changes one byte in place, and no time of the file, as a disk does; where it stands."""
    times = path.stat()
    place, bits = dice.randrange(times.st_size), dice.randrange(1, 256)
    with path.open("r+b") as handle:
        handle.seek(place)
        byte = handle.read(1)[0]
        handle.seek(place)
        handle.write(bytes([byte ^ bits]))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return place


def outcome(worker: Worker, index: Path, right: dict[str, Any], where: str) -> dict[str, Any]:
    """Each question's class, and one line for each that is wrong or raw."""
    told = worker.ask(index, republish=where.endswith(CATALOG_FILE))
    # That verify says something else than of a whole index is what it is for.
    classes = {name: classified(told[name], right[name]) for name in right if name != "verify"}
    if told["verify"][0] == RAW:
        classes["verify"] = RAW
    bad = [
        f"{where}: {name}: {kind}{'' if kind == SILENT else f' ({told[name][1]})'}"
        for name, kind in classes.items()
        if kind in (SILENT, RAW)
    ]
    content = told["verify"] == (RIGHT, "true")
    return {"classes": classes, "bad": bad, "where": where, "content": content}


def classified(told: tuple[str, Any], right: Any) -> str:
    """The class of one answer; `told` is what a worker sent, see `Worker.ask`."""
    kind, value = told
    if kind != RIGHT or value == right:
        return kind
    return SILENT


class Worker:
    """A process that opens damaged indexes: what ends it is a finding, and another one follows."""

    def __enter__(self) -> Worker:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()

    def _start(self) -> None:
        processes = context()
        self._here, there = processes.Pipe()
        self._process = processes.Process(target=serve, args=(there,), daemon=True)
        self._process.start()
        there.close()

    def ask(self, index: Path, *, republish: bool = False) -> dict[str, tuple[str, Any]]:
        """Question -> (RIGHT, its answer) or (a class, why); and "verify" -> (RIGHT, is it ok)."""
        try:
            self._here.send((index, republish))
            if not self._here.poll(HANGS_AFTER_S):
                raise TimeoutError
            told: dict[str, tuple[str, Any]] = self._here.recv()
            return told
        except (EOFError, OSError):
            self._process.kill()
            self._process.join()
            died = f"the process ended with {self._process.exitcode}"
            self._start()
            return dict.fromkeys(QUESTIONS, (RAW, died))


def serve(connection: Any) -> None:
    """Answers indexes until its end; models are loaded once, the rest is opened anew each time."""
    with pytest.MonkeyPatch.context() as patch:
        keep_models(patch)
        while True:
            index, republish = connection.recv()
            connection.send(answers_of(index, republish=republish))


def answers_of(index: Path, *, republish: bool = False) -> dict[str, tuple[str, Any]]:
    """All questions to an index, each by itself; with `republish` to what its catalog makes."""
    settings = load_settings(index=index)
    told = {"verify": asked(lambda: verify(settings, Quiet()).ok, index)}
    if republish:
        made = asked(lambda: rebuild(settings, Quiet()).products, index)
        if made[0] != RIGHT:
            return dict.fromkeys(QUESTIONS, made) | told
    for name in QUESTIONS[1:]:
        told[name] = asked(lambda name=name: question(retrieval.open(index), name), index)  # type: ignore[misc]
    return told


QUESTIONS = ("verify", *SEARCHES, *(f"product {key}" for key in PRODUCTS), "map")


def question(catalog: Searcher, name: str) -> Any:
    if name in SEARCHES:
        answer = catalog.search(**SEARCHES[name]).as_dict()
        return {
            key: value
            for key, value in answer.items()
            if key not in ("took_ms", "stages_ms", "generation")
        }
    if name == "map":
        return [(card.key, x, y) for card, x, y in catalog.catalog_map()]
    return vars(catalog.product(name.partition(" ")[2]))


def asked(ask: Any, index: Path) -> tuple[str, Any]:
    """(RIGHT, the answer as JSON), or the class of error and what it says.

    An answer beside which somebody was told of damage is not a silent one.
    """
    stderr = io.StringIO()
    handler = logging.StreamHandler(stderr)
    logging.getLogger().addHandler(handler)
    try:
        with contextlib.redirect_stderr(stderr), warnings.catch_warnings():
            warnings.simplefilter("always")
            answer = json.dumps(ask(), default=str, sort_keys=True).replace(str(index), "INDEX")
    except RetrievalError as error:
        text = str(error)
        helpful = "\n" not in text and ADVICE.search(text)
        return (REFUSED if helpful else RAW), text
    except Exception as error:
        return RAW, f"{type(error).__name__}: {error}"
    finally:
        logging.getLogger().removeHandler(handler)
    return (REFUSED, stderr.getvalue()) if DAMAGE.search(stderr.getvalue()) else (RIGHT, answer)


def summary(file: Path, outcomes: list[dict[str, Any]], kind: str = "") -> Row:
    """Counts each flip as the worst of its answers; verify must tell of all but the catalog's.

    There SQLite has room that holds nothing: a byte of it may change and harm nobody.
    """
    worst: Counter[str] = Counter()
    missed: list[str] = []
    for made in outcomes:
        kinds = set(made["classes"].values())
        worst[next(kind for kind in (SILENT, RAW, REFUSED, RIGHT) if kind in kinds)] += 1
        missed += made["bad"][:1]
        if made["content"] and file.name != CATALOG_FILE and not made["bad"]:
            missed.append(f"{made['where']}: verify is content")
    counts = ", ".join(f"{worst[kind]} {kind}" for kind in (RIGHT, REFUSED, SILENT, RAW))
    content = sum(made["content"] for made in outcomes)
    what = " ".join(filter(None, [file.name, kind]))
    if file.name == CATALOG_FILE:
        what += ", then rebuild"
    told = f"{counts}; verify is content with {content}"
    return Row(PART, what, len(outcomes), told, worst[SILENT], tuple(missed))
