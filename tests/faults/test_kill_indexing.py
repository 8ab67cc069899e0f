"""Killed at any moment, readers see a whole generation, and the next run makes it all good."""

from __future__ import annotations

import contextlib
import random
import shutil
import time
from pathlib import Path

import pytest

from retrieval.common.progress import Quiet
from retrieval.errors import IndexMissing
from retrieval.indexing.maintenance import verify
from retrieval.settings import load_settings
from tests.faults.killing import context, index_and_time, index_source
from tests.faults.states import Before, answers, check

MOMENTS = 50


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> Before:
    return Before(tmp_path_factory.mktemp("kill"), tiny_model)


@pytest.fixture(scope="module")
def seconds(before: Before, tmp_path_factory: pytest.TempPathFactory) -> float:
    """What a run takes that is not killed, in a process like those that are."""
    processes = context()
    took = processes.Value("d", 0.0)
    tries = []
    for number in range(3):
        index = tmp_path_factory.mktemp("timed") / str(number)
        shutil.copytree(before.old_index, index)
        arguments = (before.source, index, before.model, took)
        child = processes.Process(target=index_and_time, args=arguments)
        child.start()
        child.join()
        assert child.exitcode == 0
        tries.append(took.value)
    return min(tries)


def killed_run(before: Before, index: Path, after: float) -> bool:
    """Indexes in another process, and kills it so many seconds into the work; was it at work?"""
    processes = context()
    ready = processes.Event()
    child = processes.Process(target=index_source, args=(before.source, index, before.model, ready))
    child.start()
    assert ready.wait(60)
    time.sleep(after)
    child.kill()
    child.join()
    return bool(child.exitcode != 0)


@pytest.mark.slow
def test_killed_at_random_moments(before: Before, seconds: float, tmp_path: Path) -> None:
    chance = random.Random(20)
    killed = 0
    for moment in range(MOMENTS):
        index = tmp_path / str(moment)
        shutil.copytree(before.old_index, index)
        killed += killed_run(before, index, chance.random() * seconds)
        check(before, index)
        shutil.rmtree(index)
    assert killed > MOMENTS / 2, "most of them must have been at work"


@pytest.mark.slow
def test_killed_in_the_first_run_of_all(before: Before, seconds: float, tmp_path: Path) -> None:
    """There is no old generation to fall back on: it says so, and the next run succeeds."""
    chance = random.Random(21)
    for moment in range(6):
        index = tmp_path / str(moment)
        killed_run(before, index, chance.random() * seconds)
        with contextlib.suppress(IndexMissing):
            assert answers(index) == before.new
        index_source(before.source, index, before.model)
        assert answers(index) == before.new
        assert verify(load_settings(index=index), Quiet()).problems == ()
