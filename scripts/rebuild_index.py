#!/usr/bin/env python3
"""For cron: derives the FAISS index again from stored vectors, under the index's lock.

Writes one line to stdout (or to --log FILE) that monitoring can read:

    2026-01-31T03:00:04+00:00 ok generation=7 products=1045 vectors=2797 ... seconds=0.4
    2026-01-31T03:00:00+00:00 held reason="generation 6 was rolled back to; ..."
    2026-01-31T03:00:00+00:00 failed error="indexes/default is being written by process 4711 ..."

Exit codes: 0 rebuilt or held, 1 failed, 2 wrong usage, 4 another process holds the lock (the
next run will do; monitoring may ignore a single one).
"""

from __future__ import annotations

import datetime
import importlib.util
import json
import os
import sys
from pathlib import Path

# Cron activates no environment: where the package is not installed, go on in the one beside us.
if importlib.util.find_spec("retrieval") is None or importlib.util.find_spec("click") is None:
    python = Path(__file__).resolve().parent.parent / ".venv" / "bin" / "python"
    if not python.exists() or Path(sys.executable) == python:
        sys.exit("error: the package is not installed; run scripts/demo once")
    os.execv(python, [str(python), *sys.argv])

import click

from retrieval.common.progress import Quiet
from retrieval.errors import IndexLocked, one_line
from retrieval.indexing.maintenance import rebuild, rolled_back_to, verify
from retrieval.settings import INDEX_TYPES, load_settings

FAILED, LOCKED = 1, 4


@click.command(help=__doc__)
@click.option("--index", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--index-type", type=click.Choice(["auto", *INDEX_TYPES]))
@click.option("--wait", type=float, metavar="SECONDS", help="Wait for another writer.")
@click.option("--verify", "and_verify", is_flag=True, help="Verify what was published.")
@click.option("--log", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
def main(
    index: Path | None,
    index_type: str | None,
    wait: float | None,
    and_verify: bool,
    log: Path | None,
) -> None:
    try:
        settings = load_settings(index=index, lock_timeout=wait)
        held = rolled_back_to(settings.index)
        if held is not None:
            # Somebody took a bad state back: a nightly run must not bring it back.
            write_line(log, f'held reason="generation {held} was rolled back to; index to go on"')
            return
        report = rebuild(settings, Quiet(), index_type)
        problems = verify(settings, Quiet()).problems if and_verify else ()
    except IndexLocked as error:
        write_line(log, f"locked error={json.dumps(str(error))}")
        sys.exit(LOCKED)
    except Exception as error:
        # Whatever it was, a full disk as well: monitoring gets its line, not a traceback.
        write_line(log, f"failed error={json.dumps(one_line(error, 500))}")
        sys.exit(FAILED)
    if problems:
        write_line(log, f"failed error={json.dumps(problems[0].text)}")
        sys.exit(FAILED)
    write_line(log, "ok " + " ".join(f"{name}={v}" for name, v in report.as_dict().items()))


def write_line(log: Path | None, text: str) -> None:
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    if log is None:
        click.echo(f"{now} {text}")
        return
    with log.open("a", encoding="utf-8") as handle:
        handle.write(f"{now} {text}\n")


if __name__ == "__main__":
    main()
