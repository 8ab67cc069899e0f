"""`rejects.jsonl`: what the last run left out of a source, one JSON object a line."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from retrieval.sources import Reject

REJECTS_FILE = "rejects.jsonl"


@contextlib.contextmanager
def kept_rejects(file: Path | None, index: Path) -> Iterator[list[Reject]]:
    """A list for a run to fill, which replaces what `file` holds as the run ends.

    Also where it fails or is stopped: why is most wanted then. Where nothing was left out the file
    is empty, and none is made before there is an index. None keeps nothing.
    """
    rejects: list[Reject] = []
    try:
        yield rejects
    finally:
        if file is not None and (rejects or index.exists()):
            write_rejects(file, rejects)


def write_rejects(file: Path, rejects: Sequence[Reject]) -> None:
    """Writes the rejects of a run; an empty file where there are none."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(reject.as_dict(), ensure_ascii=False) + "\n" for reject in rejects]
    file.write_text("".join(lines), "utf-8")


def read_rejects(file: Path, most: int) -> list[Reject]:
    """The first rejects of the last run; none where there is no such file, or another's."""
    try:
        # By line feeds alone: an id may hold what else ends a line of text.
        with file.open(encoding="utf-8", newline="\n") as lines:
            return [Reject(**json.loads(line)) for line in itertools.islice(lines, most)]
    except (OSError, ValueError, TypeError):
        return []
