"""Killed at any step of publishing, readers see a whole generation; the next run is good."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.faults.killing import context, index_and_die
from tests.faults.states import Before, check


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory, tiny_model: str) -> Before:
    return Before(tmp_path_factory.mktemp("kill"), tiny_model)


@pytest.mark.slow
def test_killed_at_each_step_of_publishing(before: Before, tmp_path: Path) -> None:
    processes = context()
    steps = processes.Value("i", 0)

    def run(at: int | None) -> Path:
        index = tmp_path / str(at)
        shutil.copytree(before.old_index, index)
        child = processes.Process(
            target=index_and_die, args=(before.source, index, before.model, at, steps)
        )
        child.start()
        child.join()
        assert child.exitcode == (0 if at is None else -9)
        return index

    check(before, run(None))
    assert steps.value > 25
    for at in range(steps.value):
        index = run(at)
        check(before, index)
        shutil.rmtree(index)
