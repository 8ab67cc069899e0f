"""Texts from suppliers on a terminal, in a log, in a pipe: they are shown, and never obeyed."""

from __future__ import annotations

import fcntl
import io
import json
import logging
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

from retrieval.cli.progress import Lines
from retrieval.cli.serving import OneLine
from tests.support.commands import ROOT, answer, main, run

ESCAPES = [
    "\x1b[2J", "\x1b]0;renamed\x07", "\x9b31m", "\x08\x08\x08\x7f", "\x1b[8m",
    "\u202egnp.exe\u2066", "\x1bP$q\x1b\\",
]  # fmt: skip


def obeyed(text: str) -> str:
    """What of it a terminal would obey, or turn around."""
    turning = "\u202a\u202b\u202d\u202e\u2066\u2067\u2068"
    return "".join(
        c for c in text if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160 or c in turning
    )


@pytest.mark.parametrize("escape", ESCAPES)
def test_nothing_of_a_table_reaches_a_terminal_raw(
    tmp_path: Path, tiny_model: str, escape: str
) -> None:
    source, index = tmp_path / f"t{escape.replace('/', '')}.jsonl", tmp_path / "i"
    row = {"id": f"A{escape}", "title": f"Red {escape} chair", "brand": f"Acme{escape}",
           f"col{escape}our": "x", "image": f"none{escape}.jpg", "price": f"x{escape}"}  # fmt: skip
    source.write_text("\n".join(map(json.dumps, [row, row, {"id": f"B{escape}"}])))
    indexed = main("index", source, "--index", index, "--model", tiny_model)
    assert indexed.returncode == 3
    searched = main("search", "chair", "--mode", "lexical", "--index", index)
    assert "chair" in searched.stdout and "Acme" in searched.stdout
    wrong = [
        main("search", "chair", "--index", index, "--where", f"no{escape}=1"),
        main("search", "chair", "--index", index, "--mode", f"no{escape}"),
        main("search", "chair", "--index", tmp_path / f"no{escape}"),
        main("search", "chair", "--index", index, "--where", f"no{escape}=1", "--debug"),
        main("search", "--like", f"no{escape}", "--index", index),
    ]
    for done in (indexed, searched, *wrong):
        assert obeyed(done.stdout + done.stderr) == ""
        assert done.stdout + done.stderr
    assert all(done.returncode for done in wrong)
    as_json = main("search", "chair", "--mode", "lexical", "--index", index, "--json")
    assert obeyed(as_json.stdout) == ""
    hit = json.loads(as_json.stdout)["results"][0]
    assert (hit["title"], hit["brand"]) == (row["title"], row["brand"]), "JSON is exact"


def test_what_is_done_is_told_without_the_control_characters_of_file_names() -> None:
    stream = io.StringIO()
    with Lines(stream, every=0).task("reading \x1b[2Jx", 1) as task:
        task.advance()
    assert obeyed(stream.getvalue()) == "" and "reading" in stream.getvalue()


def test_a_log_has_one_line_an_event() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(OneLine("%(name)s %(message)s"))
    record = logging.LogRecord("x", 20, "", 0, "asked %s", ("a\x1b[2J\nforged line",), None)
    handler.emit(record)
    assert stream.getvalue() == "x asked a\\x1b[2J\\nforged line\n"
    assert record.args == ("a\x1b[2J\nforged line",), "other handlers have it as it was"


@pytest.fixture
def worldwide(tmp_path: Path, tiny_model: str) -> Path:
    (tmp_path / "t.csv").write_text(
        "id,title\nA-1,赤いマグ red mug\nB-2,Größe red mug\nC-3,🪑 red mug\nD-4,Чашка red mug\n",
        "utf-8",
    )
    answer(
        run("index", tmp_path / "t.csv", "--index", tmp_path / "i", "--model", tiny_model, "--json")
    )
    return tmp_path / "i"


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_output_in_any_encoding_has_all_products(worldwide: Path, encoding: str) -> None:
    env = {**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding}
    asked: tuple[Any, ...] = ("search", "red mug", "--mode", "lexical", "--index", worldwide)
    command = [sys.executable, "-m", "retrieval", *map(str, asked)]
    table = subprocess.run(command, capture_output=True, check=False, env=env, cwd=ROOT)
    assert table.returncode == 0, table.stderr
    for key in ("A-1", "B-2", "C-3", "D-4"):
        assert key in table.stdout.decode(encoding)
    as_json = subprocess.run(
        [*command, "--json"], capture_output=True, check=False, env=env, cwd=ROOT
    )
    titles = {hit["title"] for hit in json.loads(as_json.stdout.decode("utf-8"))["results"]}
    assert titles == {"赤いマグ red mug", "Größe red mug", "🪑 red mug", "Чашка red mug"}


@pytest.mark.parametrize(("rows", "columns"), [(0, 0), (0, 80), (24, 0), (24, 80)])
def test_a_terminal_of_any_size_shows_the_table(index: Path, rows: int, columns: int) -> None:
    child, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    command = [sys.executable, "-m", "retrieval", "search", "red mug", "--mode", "lexical",
               "--limit", "2", "--index", str(index)]  # fmt: skip
    started = subprocess.Popen(
        command,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**env, "TERM": "xterm"},
        cwd=ROOT,
    )
    os.close(terminal)
    printed = b""
    try:
        while part := os.read(child, 65_536):
            printed += part
    except OSError:
        pass  # the other end is closed
    os.close(child)
    assert started.wait() == 0, printed
    assert b"P-000" in printed
