"""Other tools on the same photos, from a folder to what they search, as their users run them.

They are programs that a user has installed (in environments of their own: what they need does
not go together), found on PATH or named. clip-retrieval (2.45) is given the weights that we run;
rclip (3.3) knows one model only, of the architecture RCLIP_MODEL, from its own folder or its hub.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import open_clip
import torch

from retrieval.bench.measuring import Measurement, in_turns
from retrieval.common.progress import Progress, Task
from retrieval.errors import SourceError

PEERS = ("clip-retrieval", "rclip")
RCLIP_MODEL = "ViT-B-32-256"
CLIP_RETRIEVAL_BATCH = 64
ROUNDS = 3


def find_peers(named: Sequence[str]) -> dict[str, Path]:
    """Name -> program, of those that are installed.

    Args:
        named: `NAME=PROGRAM`, for what is not on PATH.

    Raises:
        SourceError: a name is unknown, or its program is not there.
    """
    programs = dict(option.partition("=")[::2] for option in named)
    for name, program in programs.items():
        if name not in PEERS or not shutil.which(program):
            raise SourceError(f"--peer {name}={program}: one of {', '.join(PEERS)}, and a program")
    paths = {name: shutil.which(programs.get(name, name)) for name in PEERS}
    return {name: Path(program).absolute() for name, program in paths.items() if program}


def bench_peers(
    name: str, photos: Sequence[Path], peers: dict[str, Path], progress: Progress
) -> Iterator[Measurement]:
    """Indexes the photos by each program, all of its start-up included.

    Args:
        name: our model, of RCLIP_MODEL's architecture.
    """
    with tempfile.TemporaryDirectory(prefix="retrieval-peers-") as folder:
        work = Path(folder)
        shelf = work / "photos"
        shelf.mkdir()
        for photo in photos:
            shutil.copy(photo, shelf / photo.name)
        methods = {"retrieval index": _ours(name, shelf, work / "index")}
        if "clip-retrieval" in peers:
            weights = _weights(name, work / "weights.pt")
            methods["clip-retrieval inference, index"] = _clip_retrieval(
                peers["clip-retrieval"], weights, shelf, work / "clip-retrieval"
            )
        if "rclip" in peers:
            methods["rclip"] = _rclip(peers["rclip"], shelf, work / "rclip")
        with progress.task("making models ready, which is done once", len(methods)) as task:
            for method in methods.values():
                _counted(method, task)()
        with progress.task("indexing by each in turn", ROUNDS * len(methods)) as task:
            measurements = in_turns(
                "index a folder of photos",
                f"{len(photos)} photos, {RCLIP_MODEL}",
                "s",
                {name: _counted(method, task) for name, method in methods.items()},
                baseline=tuple(method for method in methods if not method.startswith("retrieval")),
                rounds=ROUNDS,
            )
        yield from measurements


def _counted(method: Callable[[], float], task: Task) -> Callable[[], float]:
    def run() -> float:
        taken = method()
        task.advance()
        return taken

    return run


def _ours(name: str, shelf: Path, index: Path) -> Callable[[], float]:
    command = [sys.executable, "-m", "retrieval", "index", str(shelf), "--index", str(index)]
    command += ["--model", name, "--json"]

    def run() -> float:
        shutil.rmtree(index, ignore_errors=True)
        taken, output = _timed(command, index.parent, {})
        _all_there(json.loads(output)["images"], shelf)
        return taken

    return run


def _clip_retrieval(program: Path, weights: Path, shelf: Path, work: Path) -> Callable[[], float]:
    embeddings, index = work / "embeddings", work / "index"
    # All after the first slash is what open_clip takes as the weights, here an absolute path.
    model = f"open_clip:{RCLIP_MODEL}/{weights.absolute()}"
    make = [str(program), "inference", "--input_dataset", str(shelf), "--output_folder"]
    make += [str(embeddings), "--input_format", "files", "--enable_text", "False"]
    make += ["--clip_model", model, "--batch_size", str(CLIP_RETRIEVAL_BATCH)]
    make += ["--num_prepro_workers", "1"]
    build = [str(program), "index", "--embeddings_folder", str(embeddings)]
    build += ["--index_folder", str(index)]
    # Written for numpy 1: without this it cannot write down what it has built.
    environment = {"HF_HUB_OFFLINE": "1", "NPY_PROMOTION_STATE": "legacy"}

    def run() -> float:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        taken = sum(_timed(command, work, environment)[0] for command in (make, build))
        made = [len(np.load(path)) for path in (embeddings / "img_emb").glob("*.npy")]
        _all_there(sum(made), shelf)
        return taken

    return run


def _rclip(program: Path, shelf: Path, work: Path) -> Callable[[], float]:
    """It indexes the folder that it is called in, and answers a query at the end."""
    work.mkdir()
    home = os.environ.get("RCLIP_DATADIR")
    for entry in Path(home).iterdir() if home else ():
        if not entry.name.startswith("db.sqlite3"):
            (work / entry.name).symlink_to(entry.absolute())
    database = work / "db.sqlite3"

    def run() -> float:
        for path in work.glob("db.sqlite3*"):
            path.unlink()
        command = [str(program), "--filepath-only", "--top", "1", "a dog"]
        taken, _ = _timed(command, shelf, {"RCLIP_DATADIR": str(work)})
        with sqlite3.connect(database) as stored:
            _all_there(stored.execute("SELECT count(*) FROM images").fetchone()[0], shelf)
        return taken

    return run


def _weights(name: str, path: Path) -> Path:
    """The weights of one of our models, as a checkpoint that open_clip loads by its path."""
    model = open_clip.create_model(name)
    torch.save(model.state_dict(), path)
    return path


def _timed(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[float, str]:
    """Seconds until a program has ended well, and what it printed; raises SourceError."""
    started = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    taken = time.perf_counter() - started
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise SourceError(f"{command[0]} ended with {done.returncode}: {last}")
    return taken, done.stdout


def _all_there(count: int, shelf: Path) -> None:
    """They leave out what they cannot read and end well all the same."""
    wanted = len(list(shelf.iterdir()))
    if count != wanted:
        raise SourceError(f"{count} of {wanted} photos were indexed: nothing to compare by")
