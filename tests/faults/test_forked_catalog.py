"""A catalog that is open when its process forks answers in the child, and in the parent after."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import ROOT
from tests.support.shop import Shop


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_answers_as_its_parent_does(index: Path, shop: Shop) -> None:
    """Pools of processes hung for ever, and servers that load before their workers start."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.forking", str(index), str(shop.path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert lines.pop("served") == "200"
    assert lines.pop("grandchild") == "['as before', 'as before']"
    assert set(lines.values()) == {"as before"}, lines
    assert len(lines) == 7
