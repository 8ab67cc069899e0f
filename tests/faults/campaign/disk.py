"""Commands on a disk that fills up while they write: one line that says so, and nothing is lost."""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.faults.campaign.rows import Row, skipped
from tests.faults.campaign.world import World
from tests.faults.commands import Command
from tests.faults.killing import context
from tests.faults.states import answers

PART = "disk"
NAMES = ("index", "rebuild", "rebuild of many", "adapt")
ROOMY = 512 * 1024 * 1024
PAGE = 4096
HANGS_AFTER_S = 300.0
FULL = re.compile(r"no space left|disk[^\n]*full|full[^\n]*disk|no room", re.IGNORECASE)
DONE, TOLD, ILL_TOLD, SIGNAL = "done", "one line that says so", "ill told", "killed by a signal"


def run(world: World, size: int) -> list[Row]:
    """Runs each command on disks of `size` sizes, from hardly any room to what it needs."""
    reason = why_not(world.folder / "disk")
    if reason:
        return [skipped(PART, name, reason) for name in NAMES]
    commands = {**world.commands, "rebuild of many": world.long_rebuild}
    rows = []
    with world.told("full disks", len(NAMES) * size) as task:
        for name in NAMES:
            command = commands[name]
            least, most = room_needed(world, command)
            tries = []
            for number in range(size):
                room = least + (most - least) * (number + 1) // (size + 1)
                tries.append(tried(world, command, room))
                task.advance()
            rows.append(summary(name, tries, most - least))
    return rows


def why_not(folder: Path) -> str:
    """Why no small disk can be had here; empty where one can."""
    if not sys.platform.startswith("linux"):
        return "a tmpfs is Linux's"
    if os.geteuid() != 0:
        return "only root may mount a tmpfs"
    try:
        with mounted(folder, ROOMY):
            return ""
    except subprocess.CalledProcessError as error:
        return f"no tmpfs can be mounted here ({error.stderr.strip()})"


@contextmanager
def mounted(folder: Path, size: int) -> Iterator[Path]:
    """A tmpfs of so many bytes."""
    folder.mkdir(exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        # Lazily: a reader whose files were dropped may still hold one.
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True, text=True)


def room_needed(world: World, command: Command) -> tuple[int, int]:
    """Bytes that the index takes before the command, and the most that it takes meanwhile."""
    with mounted(world.folder / "disk", ROOMY) as index:
        shutil.copytree(command.start, index, dirs_exist_ok=True)
        least = used(index)
        child = started(command, index)[0]
        most = least
        while child.is_alive():
            most = max(most, used(index))
            child.join(0.005)
        if child.exitcode != 0:
            raise RuntimeError(f"{command.name} ends with {child.exitcode} though there is room")
        return least, max(most, used(index))


def used(folder: Path) -> int:
    disk = os.statvfs(folder)
    return (disk.f_blocks - disk.f_bfree) * disk.f_frsize


def tried(world: World, command: Command, room: int) -> tuple[str, tuple[str, ...], bool]:
    """How the command ended, what went wrong, and whether answers were silently wrong."""
    with mounted(world.folder / "disk", room // PAGE * PAGE) as index:
        shutil.copytree(command.start, index, dirs_exist_ok=True)
        child, told = started(command, index)
        child.join(HANGS_AFTER_S)
        if child.is_alive():
            child.kill()
            child.join()
        text = told.read_text("utf-8")
        ended = classified(child.exitcode, text)
        wrong = []
        if ended in (ILL_TOLD, SIGNAL):
            wrong.append(f"{room:,} bytes: exit code {child.exitcode}: {text.strip()[:300]!r}")
        silent = False
        try:
            answered = answers(index)
            silent = answered not in (command.before, command.after)
            if ended != DONE and answered != command.before:
                silent = True
            _mount("-o", f"remount,size={ROOMY}", str(index))
            command(index)
            silent = silent or answers(index) != command.after
        except Exception as error:  # each is a finding, whatever it is
            wrong.append(f"{room:,} bytes: {type(error).__name__}: {error}")
        if silent:
            wrong.append(f"{room:,} bytes: an answer belongs to another state")
        return ended, tuple(wrong), silent


def classified(code: int | None, text: str) -> str:
    """How a command on a full disk ended, by its exit code and what it wrote to stderr."""
    if code is None or code < 0 or code >= 128:
        return SIGNAL
    if code == 0:
        return DONE
    lines = [line for line in text.splitlines() if line.startswith("error: ")]
    plain = "Traceback" not in text and len(lines) == 1 and FULL.search(lines[0])
    return TOLD if plain else ILL_TOLD


def started(command: Command, index: Path) -> tuple[multiprocessing.Process, Path]:
    """The command at work in a process of its own, and the file that its stderr goes to."""
    told = index.with_name("stderr")
    child = context().Process(target=as_the_command_line, args=(command, index, told))
    child.start()
    return child, told


def as_the_command_line(command: Command, index: Path, told: Path) -> None:
    """Runs a command, and tells of an error as the command line does."""
    import click

    from retrieval.cli.common import run_main

    os.dup2(os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)

    @click.group(invoke_without_command=True)
    def group() -> Any:
        command(index)

    sys.argv = ["retrieval"]
    run_main(group)


def summary(name: str, tries: list[tuple[str, tuple[str, ...], bool]], room: int) -> Row:
    ended = Counter(how for how, _, _ in tries)
    told = ", ".join(f"{ended[how]} {how}" for how in (DONE, TOLD, ILL_TOLD, SIGNAL))
    return Row(
        PART,
        name,
        len(tries),
        f"up to {room / 1e6:.1f} MB of room: {told}",
        sum(silent for _, _, silent in tries),
        tuple(text for _, wrong, _ in tries for text in wrong),
    )
