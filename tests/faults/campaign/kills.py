"""Commands killed at any moment of their work, each beside somebody who searches meanwhile."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import retrieval
from retrieval.common.progress import Quiet
from retrieval.errors import RetrievalError
from retrieval.indexing.maintenance import verify
from retrieval.settings import load_settings
from tests.faults.campaign.rows import Row
from tests.faults.campaign.world import World
from tests.faults.commands import Command
from tests.faults.killing import Clock, context
from tests.faults.states import answers, answers_of

PART = "kills"
CALM_RUNS = 2
STARTS_WITHIN_S = 120.0


def run(world: World, size: int) -> list[Row]:
    """Kills each command `size / 4` times."""
    commands = world.commands
    rows = []
    chance = random.Random(world.seed)
    each = max(1, size // len(commands))
    with world.told("kills", each * len(commands)) as task:
        for command in commands.values():
            with world.copied(command.start, "killed") as index:
                known = problems_of(index)
            seconds = calm_seconds(world, command)
            kills = []
            for _ in range(each):
                with world.copied(command.start, "killed") as index:
                    kills.append(killed(command, index, chance.random() * seconds, known))
                task.advance()
            rows.append(summary(command.name, kills))
    return rows


@dataclass
class Kill:
    """What became of one kill.

    Attributes:
        at_work: it was killed before it was done.
        mended: how verify came to be content.
        silent: answers that belong to no state; `failed`: all else that went wrong.
    """

    at_work: bool = False
    answers: int = 0
    mended: str = "verify ok"
    silent: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def killed(command: Command, index: Path, after: float, known: frozenset[str]) -> Kill:
    """Kills the command so many seconds into its work, and looks at what is left.

    Args:
        known: problems that the index had before, as one has that was rolled back.
    """
    kill = Kill()
    with Reader(index) as reader:
        kill.at_work = run_and_kill(command, index, after)
    kill.answers = reader.answers
    judge_answers(command, reader.seen, kill)
    kill.failed += reader.failed
    look(command, index, kill, known)
    return kill


def run_and_kill(command: Command, index: Path, after: float) -> bool:
    """Whether it was still at work."""
    processes = context()
    ready = processes.Event()
    child = processes.Process(target=command, args=(index, ready))
    child.start()
    started = ready.wait(STARTS_WITHIN_S)
    time.sleep(after)
    child.kill()
    child.join()
    if not started:
        raise RuntimeError(f"{command.name} did not begin within {STARTS_WITHIN_S:.0f} s")
    return bool(child.exitcode != 0)


def problems_of(index: Path, *, repair: bool = False) -> frozenset[str]:
    report = verify(load_settings(index=index), Quiet(), repair=repair)
    return frozenset(problem.text for problem in report.problems)


def look(command: Command, index: Path, kill: Kill, known: frozenset[str]) -> None:
    """The last good generation answers, verify is content or mended, and a second run ends well."""
    try:
        judge_answers(command, list(enumerate(answers(index))), kill)
        problems = problems_of(index) - known
        if problems:
            kill.mended = "mended by --repair"
            problems = problems_of(index, repair=True) - known
        if problems:
            kill.mended = "mended by the same command"
            unhelpful = [text for text in problems if "`retrieval " not in text]
            kill.failed += [f"verify gives no advice: {text}" for text in unhelpful]
        command(index)
        if answers(index) != command.after:
            kill.silent.append("after the same command again, answers are of no state")
        kill.failed += [f"not mended: {text}" for text in problems_of(index) - known]
    except Exception as error:  # each is a finding, whatever it is
        kill.failed.append(f"{type(error).__name__}: {error}")


def judge_answers(command: Command, seen: list[tuple[int, Any]], kill: Kill) -> None:
    """Each answer must be that of one of the two states, whole."""
    for place, answer in seen:
        if answer not in (command.before[place], command.after[place]):
            kill.silent.append(f"answer {place} belongs to neither state")


class Reader:
    """Searches in a thread while something happens to the index; keeps each new answer."""

    def __init__(self, index: Path) -> None:
        self.seen: list[tuple[int, Any]] = []
        self.failed: list[str] = []
        self.answers = 0
        self._catalog = retrieval.open(index)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._ends.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._ends.is_set():
            try:
                for place, answer in enumerate(answers_of(self._catalog)):
                    self.answers += 1
                    if (place, answer) not in self.seen:
                        self.seen.append((place, answer))
            except RetrievalError as error:
                self.failed.append(f"the reader was told: {error}")
            except Exception as error:
                self.failed.append(f"the reader met {type(error).__name__}: {error}")


def calm_seconds(world: World, command: Command) -> float:
    """What the work takes that is not killed, in a process like those that are."""
    processes = context()
    tries = []
    for _ in range(CALM_RUNS):
        with world.copied(command.start, "calm") as index:
            seconds = processes.Value("d", 0.0)
            child = processes.Process(target=timed, args=(command, index, seconds))
            child.start()
            child.join()
            if child.exitcode != 0 or answers(index) != command.after:
                raise RuntimeError(f"{command.name} does not end well though nobody killed it")
            tries.append(seconds.value)
    return min(tries)


def timed(command: Command, index: Path, seconds: Any) -> None:
    clock = Clock()
    command(index, clock)
    seconds.value = time.perf_counter() - clock.began


def summary(name: str, kills: list[Kill]) -> Row:
    mended = Counter(kill.mended for kill in kills)
    told = ", ".join(f"{count} {how}" for how, count in mended.most_common())
    at_work = sum(kill.at_work for kill in kills)
    missed = [text for kill in kills for text in dict.fromkeys(kill.silent + kill.failed)]
    return Row(
        PART,
        name,
        len(kills),
        f"{at_work} at work; {told}; {sum(kill.answers for kill in kills):,} answers meanwhile",
        sum(bool(kill.silent) for kill in kills),
        tuple(missed),
    )
